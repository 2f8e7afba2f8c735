#!/bin/sh
# Backs up a running farm that uses a Postgres server of its own (DATABASE_URL): first the rows, then the
# artifacts that they name. Retention is locked out meanwhile, so that every row has its file.
#
#   DATABASE_URL=postgres://… infra/backup/pg-dump.sh STATE TARGET
#
# STATE is the controller's state folder. Prints the folder of the backup. All backups in TARGET share
# their artifacts.
set -eu

die() {
	echo "pg-dump.sh: $*" >&2
	exit 1
}

state=${1:?"give the state folder of the controller"}
target=${2:?"give the folder for backups"}
: "${DATABASE_URL:?"set it to the database of the farm"}"

tool=$(pg_dump --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
server=$(psql -XAtq -c 'show server_version_num' "$DATABASE_URL")
[ "$tool" -ge $((server / 10000)) ] ||
	die "pg_dump has version $tool, the server $((server / 10000)): install postgresql-client-$((server / 10000)), or use \"peerlab-controller backup\""

folder=$target/$(date -u +%Y-%m-%dT%H-%M-%SZ)
mkdir -p "$target/artifacts"
mkdir "$folder"

# Runs while a session holds the lock that retention and other backups take.
cat >"$folder/save.sh" <<'SAVE'
set -eu
pg_dump --format=custom --exclude-table-data=controller --exclude-table-data=storage --exclude-table-data=artifact_folder --file="$folder/database.part" "$DATABASE_URL"
psql -XAtq -c 'select sha256 from artifact where removed_at is null' "$DATABASE_URL" | while read -r sha256; do
	part=$(printf '%.2s' "$sha256")
	[ -e "$target/artifacts/$part/$sha256" ] && continue
	mkdir -p "$target/artifacts/$part"
	cp "$state/artifacts/sha256/$part/$sha256" "$target/artifacts/$part/$sha256.part"
	mv "$target/artifacts/$part/$sha256.part" "$target/artifacts/$part/$sha256"
done
sync
mv "$folder/database.part" "$folder/database.dump"
SAVE
export folder state target
psql -XAtq -v ON_ERROR_STOP=1 "$DATABASE_URL" >/dev/null <<'LOCKED'
select pg_advisory_lock(747050);
\! sh "$folder/save.sh" || echo "pg-dump.sh: the backup failed" >&2
LOCKED
rm -f "$folder/save.sh"
[ -e "$folder/database.dump" ] || die "the backup in $folder is incomplete; see the messages above, then delete it"
echo "$folder"
