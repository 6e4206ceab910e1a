terraform {
  required_providers {
    openstack = {
      source  = "terraform-provider-openstack/openstack"
      version = ">= 3.0"
    }
  }
}

# Where it goes and who it is, clouds.yaml says (OS_CLIENT_CONFIG_FILE, OS_CLOUD).
provider "openstack" {}

variable "image_file" {
  type = string
}

# Of what changes in place, the first or the second.
variable "generation" {
  type    = string
  default = "first"
}

variable "size" {
  type    = number
  default = 1
}

# The name of one that somebody has taken meanwhile: the provider has no resource for them.
variable "snapshot" {
  type    = string
  default = null
}

resource "openstack_identity_project_v3" "lab" {
  name        = "lab"
  description = var.generation
}

resource "openstack_blockstorage_quotaset_v3" "lab" {
  project_id           = openstack_identity_project_v3.lab.id
  volumes              = var.generation == "first" ? 5 : 7
  snapshots            = 4
  gigabytes            = 100
  per_volume_gigabytes = 50
  backups              = 3
  backup_gigabytes     = 60
  groups               = 10
}

resource "openstack_blockstorage_volume_type_v3" "fast" {
  name        = "fast"
  description = var.generation
  extra_specs = {
    volume_backend_name    = "files"
    # A scope that no scheduler looks at.
    "terraform:generation" = var.generation
  }
}

resource "openstack_blockstorage_volume_type_v3" "secret" {
  name      = "secret"
  is_public = false
}

resource "openstack_blockstorage_volume_type_access_v3" "lab" {
  volume_type_id = openstack_blockstorage_volume_type_v3.secret.id
  project_id     = openstack_identity_project_v3.lab.id
}

resource "openstack_images_image_v2" "disk" {
  name             = "disk-${var.generation}"
  local_file_path  = var.image_file
  container_format = "bare"
  disk_format      = "qcow2"
  visibility       = "shared"
  min_disk_gb      = 1
  tags             = ["terraform", var.generation]
  properties = {
    os_distro  = "debian"
    generation = var.generation
  }
}

resource "openstack_images_image_access_v2" "lab" {
  image_id  = openstack_images_image_v2.disk.id
  member_id = openstack_identity_project_v3.lab.id
}

resource "openstack_blockstorage_volume_v3" "root" {
  name        = "root-${var.generation}"
  description = "of an image"
  size        = var.size
  image_id    = openstack_images_image_v2.disk.id
  volume_type = openstack_blockstorage_volume_type_v3.fast.name
  metadata = {
    generation = var.generation
  }
}

resource "openstack_blockstorage_volume_v3" "blank" {
  name                 = "blank"
  size                 = 1
  volume_type          = var.generation == "first" ? "__DEFAULT__" : openstack_blockstorage_volume_type_v3.fast.name
  volume_retype_policy = "on-demand"
}

resource "openstack_blockstorage_volume_v3" "clone" {
  name          = "clone"
  size          = 1
  source_vol_id = openstack_blockstorage_volume_v3.root.id
}

data "openstack_blockstorage_snapshot_v3" "taken" {
  count = var.snapshot == null ? 0 : 1
  name  = var.snapshot
}

resource "openstack_blockstorage_volume_v3" "of_snapshot" {
  count       = var.snapshot == null ? 0 : 1
  name        = "of-snapshot"
  size        = 1
  snapshot_id = data.openstack_blockstorage_snapshot_v3.taken[0].id
}

output "ids" {
  value = {
    lab        = openstack_identity_project_v3.lab.id
    image      = openstack_images_image_v2.disk.id
    root       = openstack_blockstorage_volume_v3.root.id
    blank      = openstack_blockstorage_volume_v3.blank.id
    clone      = openstack_blockstorage_volume_v3.clone.id
    ofSnapshot = one(openstack_blockstorage_volume_v3.of_snapshot[*].id)
  }
}
