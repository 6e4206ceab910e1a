// A program on gophercloud, as people write them: `make FILE` makes an image of the file, a type, a volume, a snapshot, backups
// and what is made of these, and prints their ids; `remove` takes that from its standard input and removes it all.
// Where it goes and who it is, clouds.yaml says.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack"
	"github.com/gophercloud/gophercloud/v2/openstack/config"
	"github.com/gophercloud/gophercloud/v2/openstack/config/clouds"
)

// Ids of what was made.
type made struct {
	Image       string `json:"image"`
	Type        string `json:"type"`
	Volume      string `json:"volume"`
	Snapshot    string `json:"snapshot"`
	Clone       string `json:"clone"`
	Full        string `json:"full"`
	Incremental string `json:"incremental"`
	Restored    string `json:"restored"`
}

// The machine may be busy with other tests.
const timeout = 10 * time.Minute

type cloud struct {
	image  *gophercloud.ServiceClient
	volume *gophercloud.ServiceClient
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	switch {
	case len(args) == 2 && args[0] == "make":
		return printMade(ctx, args[1])
	case len(args) == 1 && args[0] == "remove":
		return removeMade(ctx)
	case len(args) == 1 && args[0] == "--version":
		fmt.Println(gophercloud.DefaultUserAgent)
		return nil
	default:
		return errors.New("expected `make FILE`, `remove` or `--version`")
	}
}

func printMade(ctx context.Context, file string) error {
	cloud, err := connect(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	all, err := cloud.makeAll(ctx, file)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(all)
}

func removeMade(ctx context.Context) error {
	var all made
	if err := json.NewDecoder(os.Stdin).Decode(&all); err != nil {
		return fmt.Errorf("read what was made: %w", err)
	}
	cloud, err := connect(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return cloud.removeAll(ctx, all)
}

func connect(ctx context.Context) (*cloud, error) {
	auth, endpoint, tls, err := clouds.Parse()
	if err != nil {
		return nil, err
	}
	provider, err := config.NewProviderClient(ctx, auth, config.WithTLSConfig(tls))
	if err != nil {
		return nil, err
	}
	image, err := openstack.NewImageV2(provider, endpoint)
	if err != nil {
		return nil, err
	}
	volume, err := openstack.NewBlockStorageV3(provider, endpoint)
	if err != nil {
		return nil, err
	}
	// Since when backups have metadata.
	volume.Microversion = "3.43"
	return &cloud{image, volume}, nil
}

func (cloud *cloud) makeAll(ctx context.Context, file string) (all made, err error) {
	if all.Image, err = cloud.makeImage(ctx, file); err != nil {
		return all, fmt.Errorf("image: %w", err)
	}
	if all.Type, err = cloud.makeType(ctx); err != nil {
		return all, fmt.Errorf("type: %w", err)
	}
	if err = cloud.makeVolumes(ctx, &all); err != nil {
		return all, fmt.Errorf("volumes: %w", err)
	}
	if err = cloud.makeBackups(ctx, &all); err != nil {
		return all, fmt.Errorf("backups: %w", err)
	}
	return all, nil
}

func (cloud *cloud) removeAll(ctx context.Context, all made) error {
	if err := cloud.removeBackups(ctx, all); err != nil {
		return fmt.Errorf("backups: %w", err)
	}
	if err := cloud.removeVolumes(ctx, all); err != nil {
		return fmt.Errorf("volumes: %w", err)
	}
	if err := cloud.removeImageAndType(ctx, all); err != nil {
		return fmt.Errorf("image and type: %w", err)
	}
	return nil
}

// Waits until asking for it answers that there is no such thing.
func gone(ctx context.Context, ask func() error) error {
	return gophercloud.WaitFor(ctx, func(context.Context) (bool, error) {
		err := ask()
		if gophercloud.ResponseCodeIs(err, 404) {
			return true, nil
		}
		return false, err
	})
}

// What came back is not what was sent.
func unlike(what string, got, wanted any) error {
	return fmt.Errorf("expected %s to be %v, got %v", what, wanted, got)
}
