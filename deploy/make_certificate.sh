#!/bin/sh
# Makes the certificate of compose.scale.yaml's PostgreSQL, once: deploy/make_certificate.sh [NAME [FOLDER]]
# NAME: how the server is called in the addresses of the settings. Whoever connects checks name and certificate.
set -eu
name=${1:-postgres}
folder=${2:-$(dirname "$0")/tls}
mkdir -p "$folder"
umask 077
openssl req -x509 -newkey rsa:3072 -sha256 -nodes -days 825 -subj "/CN=$name" -addext "subjectAltName=DNS:$name" \
    -keyout "$folder/postgres.key" -out "$folder/postgres.crt"
chmod 644 "$folder/postgres.crt"
# PostgreSQL takes the key only from its own user, which is 999 in the image.
chown 999 "$folder/postgres.key" || echo "run this as root: chown 999 $folder/postgres.key"
