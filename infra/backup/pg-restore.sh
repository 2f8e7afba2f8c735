#!/bin/sh
# Restores a backup of pg-dump.sh into an empty database and an artifact folder: first the files, whose
# digests are checked, then the rows in one transaction.
#
#   DATABASE_URL=postgres://… infra/backup/pg-restore.sh FOLDER STATE
#
# FOLDER is what pg-dump.sh printed, STATE the controller's state folder. No controller may be running.
set -eu

folder=${1:?"give the folder of the backup"}
state=${2:?"give the state folder of the controller"}
: "${DATABASE_URL:?"set it to an empty database"}"

tables=$(psql -XAtq -c "select count(*) from pg_tables where schemaname = 'public'" "$DATABASE_URL")
if [ "$tables" -ne 0 ]; then
	echo "pg-restore.sh: the database has $tables tables already: restore into an empty one" >&2
	exit 1
fi

artifacts=$(dirname "$folder")/artifacts
for file in "$artifacts"/??/*; do
	case $file in *.part | *'*') continue ;; esac
	sha256=$(basename "$file")
	echo "$sha256  $file" | sha256sum --check --status || {
		echo "pg-restore.sh: $file is damaged: its digest differs from its name" >&2
		exit 1
	}
	part=$state/artifacts/sha256/$(printf '%.2s' "$sha256")
	mkdir -p "$part"
	cp "$file" "$part/$sha256.part"
	mv "$part/$sha256.part" "$part/$sha256"
done
sync

pg_restore --single-transaction --no-owner --exit-on-error --dbname="$DATABASE_URL" "$folder/database.dump"
# Machines refuse a fence lower than one they have seen; the backup does not know the later ones.
psql -XAtq -v ON_ERROR_STOP=1 "$DATABASE_URL" >/dev/null <<'SQL'
select setval('lease_fence', nextval('lease_fence') + 1000000);
analyze;
SQL
