package main

import (
	"context"

	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/snapshots"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
)

// A volume of the image, a snapshot of that, and a larger volume of the snapshot, which takes its size by an extension.
func (cloud *cloud) makeVolumes(ctx context.Context, all *made) (err error) {
	all.Volume, err = cloud.makeVolume(ctx, volumes.CreateOpts{
		Name: "gopher", Size: 1, ImageID: all.Image, VolumeType: "gopher-2", Metadata: map[string]string{"a": "b"},
	})
	if err != nil {
		return err
	}
	name := "gopher-2"
	change := volumes.UpdateOpts{Name: &name, Metadata: map[string]string{"c": "d"}}
	volume, err := volumes.Update(ctx, cloud.volume, all.Volume, change).Extract()
	if err != nil {
		return err
	}
	if volume.Name != name || volume.Metadata["c"] != "d" || volume.Bootable != "true" || volume.CreatedAt.IsZero() {
		return unlike("the volume", volume, "renamed, bootable, with metadata and a time")
	}
	snapshot, err := snapshots.Create(ctx, cloud.volume, snapshots.CreateOpts{VolumeID: all.Volume, Name: "gopher"}).Extract()
	if err != nil {
		return err
	}
	all.Snapshot = snapshot.ID
	if err := snapshots.WaitForStatus(ctx, cloud.volume, snapshot.ID, "available"); err != nil {
		return err
	}
	all.Clone, err = cloud.makeVolume(ctx, volumes.CreateOpts{Name: "clone", SnapshotID: snapshot.ID, Size: 1})
	if err != nil {
		return err
	}
	extension := volumes.ExtendSizeOpts{NewSize: 2}
	if err := volumes.ExtendSize(ctx, cloud.volume, all.Clone, extension).ExtractErr(); err != nil {
		return err
	}
	if err := volumes.WaitForStatus(ctx, cloud.volume, all.Clone, "available"); err != nil {
		return err
	}
	return cloud.listed(ctx, 2)
}

// All volumes, a page of one at a time.
func (cloud *cloud) listed(ctx context.Context, count int) error {
	pages, err := volumes.List(cloud.volume, volumes.ListOpts{Limit: 1, Sort: "name:asc"}).AllPages(ctx)
	if err != nil {
		return err
	}
	found, err := volumes.ExtractVolumes(pages)
	if err == nil && len(found) != count {
		err = unlike("the count of volumes", len(found), count)
	}
	return err
}

func (cloud *cloud) makeVolume(ctx context.Context, options volumes.CreateOpts) (string, error) {
	volume, err := volumes.Create(ctx, cloud.volume, options, nil).Extract()
	if err != nil {
		return "", err
	}
	return volume.ID, volumes.WaitForStatus(ctx, cloud.volume, volume.ID, "available")
}

func (cloud *cloud) removeVolumes(ctx context.Context, all made) error {
	if err := snapshots.Delete(ctx, cloud.volume, all.Snapshot).ExtractErr(); err != nil {
		return err
	}
	err := gone(ctx, func() error {
		_, err := snapshots.Get(ctx, cloud.volume, all.Snapshot).Extract()
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range []string{all.Restored, all.Clone, all.Volume} {
		if err := volumes.Delete(ctx, cloud.volume, id, nil).ExtractErr(); err != nil {
			return err
		}
		err := gone(ctx, func() error {
			_, err := volumes.Get(ctx, cloud.volume, id).Extract()
			return err
		})
		if err != nil {
			return err
		}
	}
	return cloud.listed(ctx, 0)
}
