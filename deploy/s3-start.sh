#!/bin/sh
# Gives VersityGW the keys of its root account, and becomes it.
set -eu
{ read -r ROOT_ACCESS_KEY; read -r ROOT_SECRET_KEY; } </run/secrets/s3-root
export ROOT_ACCESS_KEY ROOT_SECRET_KEY
exec versitygw "$@"
