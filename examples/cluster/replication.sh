#!/bin/sh
# Run once by the image of PostgreSQL: lets the replica in. Commits wait for it once it is there:
#   ALTER SYSTEM SET synchronous_standby_names = '*'; SELECT pg_reload_conf();
echo "host replication postgres all scram-sha-256" >>"$PGDATA/pg_hba.conf"
