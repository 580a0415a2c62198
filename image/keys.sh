#!/usr/bin/env bash
# The keys that sign update bundles. For production: BROOKBOX_BUNDLE_CA, _CERT and _KEY are paths (the key may be a PKCS#11
# address). Without them, development keys are made once below build/, never to be committed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if [ -n "${BROOKBOX_BUNDLE_CERT:-}" ]; then
  : "${BROOKBOX_BUNDLE_CA:?give the certificate of the authority as well}" "${BROOKBOX_BUNDLE_KEY:?give the key as well}"
  echo "note: production keys, $(openssl x509 -in "$BROOKBOX_BUNDLE_CERT" -noout -subject)"
  exit 0
fi
keys=$BUILD/image/development-keys
if [ ! -s "$keys/cert.pem" ]; then
  rm -rf "$keys"
  install -d -m 700 "$keys.new"
  cd "$keys.new"
  openssl req -x509 -newkey rsa:3072 -sha256 -nodes -days 7300 -subj '/O=Brookbox/CN=Brookbox development authority' \
    -addext basicConstraints=critical,CA:true -addext keyUsage=critical,keyCertSign,cRLSign -keyout ca.key -out ca.pem
  openssl req -newkey rsa:3072 -sha256 -nodes -subj '/O=Brookbox/CN=Brookbox development' -keyout key.pem -out cert.csr
  openssl x509 -req -in cert.csr -CA ca.pem -CAkey ca.key -days 7300 -sha256 -out cert.pem -extfile <(
    printf 'basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=emailProtection\n'
  )
  mv "$keys.new" "$keys"
fi
echo "note: development keys"
