# shellcheck shell=bash
# Sourced by ./dev, whose functions it uses: both README commands in a bare Debian 12.

# Mounts are the namespace's own and end with it, however it ends.
inside='mount -t sysfs sys root/sys && mount --rbind /dev root/dev &&
  env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels chroot root bash -c "cd /boo; $0; exit \$?"; exit $?'
fresh() {
  local dir=$root/build/fresh start command
  [ "$(id -u)" = 0 ] || die "fresh makes a chroot, which only root can"
  need debootstrap git
  [ -z "$(git -C "$root" status --porcelain)" ] || say "fresh takes the committed tree; there are changes beside it"
  mkdir -p "$dir" && cd "$dir" && rm -rf --one-file-system root && mkdir root
  [ -e bookworm.tar ] || { debootstrap --variant=minbase bookworm root "$(mirror)" >&2 &&
    tar -C root -cf part.tar . && mv part.tar bookworm.tar; }
  tar -C root -xf bookworm.tar
  sources | sed -n 's/^[^ ]* bookworm[^ ]* .*/deb &/p' >root/etc/apt/sources.list
  { grep -rls 'Acquire' /etc/apt/apt.conf* || true; } | xargs -r cp -t root/etc/apt/apt.conf.d
  # Python's modules come from a folder: pip is set up on this side alone.
  python3 -m pip download -q -d wheels --python-version 3.11 --only-binary=:all: "${modules[@]}" >&2
  cp -r wheels root/wheels
  cp --parents -L /etc/resolv.conf "$(ls /etc/ssl/certs/ca-certificates.crt || echo /etc/hosts)" root
  git clone -q --no-hardlinks "$root" root/boo
  for command in "${readme//$'\n'/}" "./dev test"; do
    [ "${1-test} $command" != "run ./dev test" ] || continue
    say "fresh: $command" && start=$SECONDS
    unshare -mpf --kill-child --mount-proc=root/proc bash -c "$inside" "$command" ||
      die "fresh: FAILED after $((SECONDS - start)) s: $command"
    say "fresh: passed in $((SECONDS - start)) s: $command"
  done
}
