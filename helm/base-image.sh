#!/bin/sh
# Debian 12 as the image debian-base, out of Debian's packages alone, where no registry of images can be reached: then
# `make image BASE=localhost/debian-base`. As root, with debootstrap and buildah (both Debian's). MIRROR names another
# source of packages; without it, the one that this machine's apt uses, which the image keeps.
# Inside of a container without control groups: BUILDAH_ISOLATION=chroot make image ...
set -eu

mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Identifier: Packages' 'Codename: bookworm' | head -n 1)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
debootstrap --variant=minbase bookworm "$work/system" "${mirror:-http://deb.debian.org/debian}" >"$work/log" 2>&1 \
    || { tail -n 5 "$work/log" >&2; exit 1; }
rm -rf "$work"/system/var/cache/apt/archives/*.deb "$work"/system/var/lib/apt/lists/*
container=$(buildah from scratch)
buildah add --quiet "$container" "$work/system" / >/dev/null
buildah commit --quiet "$container" debian-base
buildah rm "$container" >/dev/null
