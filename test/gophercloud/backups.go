package main

import (
	"context"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/backups"
	"github.com/gophercloud/gophercloud/v2/openstack/blockstorage/v3/volumes"
)

// A full and an incremental one, and a volume restored from the latter.
func (cloud *cloud) makeBackups(ctx context.Context, all *made) (err error) {
	if all.Full, err = cloud.makeBackup(ctx, backups.CreateOpts{VolumeID: all.Volume, Name: "full"}); err != nil {
		return err
	}
	all.Incremental, err = cloud.makeBackup(ctx, backups.CreateOpts{
		VolumeID: all.Volume, Name: "incremental", Incremental: true, Metadata: map[string]string{"a": "b"},
	})
	if err != nil {
		return err
	}
	pages, err := backups.ListDetail(cloud.volume, backups.ListDetailOpts{Limit: 1, Sort: "created_at:desc"}).AllPages(ctx)
	if err != nil {
		return err
	}
	found, err := backups.ExtractBackups(pages)
	if err != nil {
		return err
	}
	if len(found) != 2 || found[0].ID != all.Incremental || !found[0].IsIncremental || found[1].Name != "full" {
		return unlike("the list", found, "the incremental backup and the full one")
	}
	record, err := backups.Export(ctx, cloud.volume, all.Full).Extract()
	if err != nil {
		return err
	}
	if record.BackupService == "" || len(record.BackupURL) == 0 {
		return unlike("the record", record, "full")
	}
	restored, err := backups.RestoreFromBackup(ctx, cloud.volume, all.Incremental, backups.RestoreOpts{Name: "restored"}).Extract()
	if err != nil {
		return err
	}
	all.Restored = restored.VolumeID
	return volumes.WaitForStatus(ctx, cloud.volume, restored.VolumeID, "available")
}

func (cloud *cloud) makeBackup(ctx context.Context, options backups.CreateOpts) (string, error) {
	backup, err := backups.Create(ctx, cloud.volume, options).Extract()
	if err != nil {
		return "", err
	}
	return backup.ID, gophercloud.WaitFor(ctx, func(ctx context.Context) (bool, error) {
		now, err := backups.Get(ctx, cloud.volume, backup.ID).Extract()
		if err == nil && now.Status == "error" {
			err = unlike("the status", now.Status, "available")
		}
		return err == nil && now.Status == "available", err
	})
}

func (cloud *cloud) removeBackups(ctx context.Context, all made) error {
	for _, id := range []string{all.Full, all.Incremental} {
		if err := backups.Delete(ctx, cloud.volume, id).ExtractErr(); err != nil {
			return err
		}
		err := gone(ctx, func() error {
			_, err := backups.Get(ctx, cloud.volume, id).Extract()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
