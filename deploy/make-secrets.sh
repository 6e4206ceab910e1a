#!/bin/sh
# Makes the secrets of docker-compose.yml, each in a file of its own, in the folder that is given (default: secrets beside this file).
# What is there stays as it is. The folder is closed to other users of this host; the files are open to whatever user a container
# runs as, and a container sees only those that it is given.
set -eu
folder=${1:-$(dirname "$0")/secrets}
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"

random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# The content comes through a pipe: it is on no command line. A file that is there is complete.
make() {
    if [ -e "$1" ]; then cat >/dev/null; return; fi
    cat >"$1.new"
    chmod 444 "$1.new"
    mv "$1.new" "$1"
    echo "made $folder/$1"
}

random 24 | make postgres-password
random 24 | make temporal-password
random 24 | make volflow-password
{ random 10; echo; random 20; echo; } | make s3-root
{ read -r access; read -r secret; } <s3-root
printf '{"accessKeyId":"%s","secretAccessKey":"%s"}\n' "$access" "$secret" | make s3.json
# Keep a copy of this one somewhere safe: without it no backup can be read.
random 32 | make backup.key
random 32 | make webhook.key
# Of the first administrator: the API takes nobody without a password.
random 16 | make admin-password
