#!/bin/sh
# Run once by the PostgreSQL image, on an empty data folder: one role and its databases for Temporal, one for volflow.
set -eu
psql -v ON_ERROR_STOP=1 --no-psqlrc --dbname postgres <<'SQL'
\set temporal_password `cat /run/secrets/temporal-password`
\set volflow_password `cat /run/secrets/volflow-password`
CREATE ROLE temporal LOGIN PASSWORD :'temporal_password';
CREATE ROLE volflow LOGIN PASSWORD :'volflow_password';
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
CREATE DATABASE volflow OWNER volflow;
SQL
