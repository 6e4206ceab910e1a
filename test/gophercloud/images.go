package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumetypes"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/imagedata"
	"github.com/gophercloud/gophercloud/v2/openstack/image/v2/images"
)

// Uploads it, changes its record, finds it in the list, and reads it back.
func (cloud *cloud) makeImage(ctx context.Context, path string) (string, error) {
	image, err := images.Create(ctx, cloud.image, images.CreateOpts{
		Name: "gopher", DiskFormat: "qcow2", ContainerFormat: "bare", Tags: []string{"go"},
		Properties: map[string]string{"os_distro": "debian"},
	}).Extract()
	if err != nil {
		return "", err
	}
	if image.Status != images.ImageStatusQueued {
		return "", unlike("the status", image.Status, images.ImageStatusQueued)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	if err := imagedata.Upload(ctx, cloud.image, image.ID, file).ExtractErr(); err != nil {
		return "", err
	}
	patch := images.UpdateOpts{
		images.ReplaceImageName{NewName: "gopher-2"},
		images.ReplaceImageTags{NewTags: []string{"go", "two"}},
		images.UpdateImageProperty{Op: images.AddOp, Name: "os_version", Value: "12"},
	}
	image, err = images.Update(ctx, cloud.image, image.ID, patch).Extract()
	if err != nil {
		return "", err
	}
	if image.Status != images.ImageStatusActive || image.Name != "gopher-2" || len(image.Tags) != 2 {
		return "", unlike("the image", image, "active, renamed, and tagged twice")
	}
	pages, err := images.List(cloud.image, images.ListOpts{Tags: []string{"two"}, Limit: 1}).AllPages(ctx)
	if err != nil {
		return "", err
	}
	found, err := images.ExtractImages(pages)
	if err != nil {
		return "", err
	}
	if len(found) != 1 || found[0].ID != image.ID || found[0].Properties["os_version"] != "12" {
		return "", unlike("the list", found, image.ID)
	}
	return image.ID, cloud.sameBytes(ctx, image.ID, path)
}

func (cloud *cloud) sameBytes(ctx context.Context, id, path string) error {
	body, err := imagedata.Download(ctx, cloud.image, id).Extract()
	if err != nil {
		return err
	}
	if closer, ok := body.(io.Closer); ok {
		defer func() { _ = closer.Close() }()
	}
	served, err := hexSum(body)
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	sent, err := hexSum(file)
	if err == nil && served != sent {
		err = unlike("the SHA-256 of what is served", served, sent)
	}
	return err
}

func hexSum(reader io.Reader) (string, error) {
	hash := sha256.New()
	_, err := io.Copy(hash, reader)
	return hex.EncodeToString(hash.Sum(nil)), err
}

func (cloud *cloud) makeType(ctx context.Context) (string, error) {
	kind, err := volumetypes.Create(ctx, cloud.volume, volumetypes.CreateOpts{
		Name: "gopher", Description: "d", ExtraSpecs: map[string]string{"volume_backend_name": "files"},
	}).Extract()
	if err != nil {
		return "", err
	}
	name, more := "gopher-2", volumetypes.ExtraSpecsOpts{"tier": "1"}
	if _, err := volumetypes.Update(ctx, cloud.volume, kind.ID, volumetypes.UpdateOpts{Name: &name}).Extract(); err != nil {
		return "", err
	}
	if _, err := volumetypes.CreateExtraSpecs(ctx, cloud.volume, kind.ID, more).Extract(); err != nil {
		return "", err
	}
	if err := volumetypes.DeleteExtraSpec(ctx, cloud.volume, kind.ID, "tier").ExtractErr(); err != nil {
		return "", err
	}
	kind, err = volumetypes.Get(ctx, cloud.volume, kind.ID).Extract()
	if err != nil {
		return "", err
	}
	if kind.Name != name || len(kind.ExtraSpecs) != 1 {
		return "", unlike("the type", kind, "renamed, with one extra spec")
	}
	return kind.ID, nil
}

func (cloud *cloud) removeImageAndType(ctx context.Context, all made) error {
	if err := images.Delete(ctx, cloud.image, all.Image).ExtractErr(); err != nil {
		return err
	}
	err := gone(ctx, func() error {
		_, err := images.Get(ctx, cloud.image, all.Image).Extract()
		return err
	})
	if err != nil {
		return err
	}
	return volumetypes.Delete(ctx, cloud.volume, all.Type).ExtractErr()
}
