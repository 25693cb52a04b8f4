-- The cluster's roles, and the database's privileges.  Run by a superuser in
-- the database postgres, on every start: it creates what is missing and sets
-- the rest right.
--
--     psql -X -v ON_ERROR_STOP=1 -d postgres -f schema/roles.sql
--
-- Each password is a psql variable named <role>_password or, out of sight of
-- ps(1), the environment variable of that name in capitals.  With the variable
-- souk_database set, that database is created too when it is missing.

\getenv souk_owner_password SOUK_OWNER_PASSWORD
\getenv souk_gateway_password SOUK_GATEWAY_PASSWORD
\getenv souk_users_password SOUK_USERS_PASSWORD
\getenv souk_catalog_password SOUK_CATALOG_PASSWORD
\getenv souk_orders_password SOUK_ORDERS_PASSWORD
\getenv souk_payments_password SOUK_PAYMENTS_PASSWORD
\getenv souk_cron_password SOUK_CRON_PASSWORD
\getenv souk_ops_password SOUK_OPS_PASSWORD
\getenv souk_stripe_sim_password SOUK_STRIPE_SIM_PASSWORD

\set ON_ERROR_STOP on
\set QUIET on

-- Passwords stay out of the server's log, even of its errors.
SET log_statement = 'none';
SET log_min_duration_statement = -1;
SET log_min_error_statement = 'panic';
SET password_encryption = 'scram-sha-256';

-- Two stacks on one cluster may start at once; the lock ends with the session.
SELECT pg_advisory_lock(7310586229451348) \g /dev/null

BEGIN;
CREATE TEMP TABLE login (role name, password text, generic_plans boolean) ON COMMIT DROP;
-- A plan made for any value is right where every statement goes by a key, and
-- saves planning again on each new connection.  It is wrong for lists with
-- optional filters, which the other four contexts have.
INSERT INTO login VALUES
	('souk_gateway', :'souk_gateway_password', true),
	('souk_users', :'souk_users_password', false),
	('souk_catalog', :'souk_catalog_password', false),
	('souk_orders', :'souk_orders_password', false),
	('souk_payments', :'souk_payments_password', true),
	('souk_cron', :'souk_cron_password', true),
	('souk_ops', :'souk_ops_password', false),
	('souk_stripe_sim', :'souk_stripe_sim_password', true);

SELECT format('CREATE ROLE %I', role)
  FROM (SELECT role FROM login UNION SELECT 'souk_owner') wanted
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role) \gexec

-- The owner inherits: it owns schema public by being the database's owner.
ALTER ROLE souk_owner LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION
	NOBYPASSRLS INHERIT CONNECTION LIMIT -1 PASSWORD :'souk_owner_password';
ALTER ROLE souk_owner SET timezone = 'UTC';

SELECT format('ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE'
	' NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT -1 PASSWORD %L', role, password)
  FROM login \gexec

-- An abandoned transaction holds locks and keeps dead rows; a statement that
-- outlives its request helps nobody.  Names are always written with a schema.
SELECT format('ALTER ROLE %I SET %I = %L', role, setting, value)
  FROM login, (VALUES
	('statement_timeout', '10s'),
	('lock_timeout', '5s'),
	('idle_in_transaction_session_timeout', '15s'),
	('timezone', 'UTC'),
	('jit', 'off')) settings (setting, value)
UNION ALL
SELECT format('ALTER ROLE %I SET search_path = ''''', role) FROM login
UNION ALL
SELECT format(CASE WHEN generic_plans
	THEN 'ALTER ROLE %I SET plan_cache_mode = force_generic_plan'
	ELSE 'ALTER ROLE %I RESET plan_cache_mode' END, role) FROM login \gexec
COMMIT;

\if :{?souk_database}
SELECT format('CREATE DATABASE %I OWNER souk_owner TEMPLATE template0'
	' ENCODING ''UTF8'' LOCALE ''C.UTF-8''', :'souk_database')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'souk_database') \gexec
\endif

SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname),
       format('GRANT CONNECT ON DATABASE %I TO souk_gateway, souk_users, souk_catalog,'
	' souk_orders, souk_payments, souk_cron, souk_ops, souk_stripe_sim', datname)
  FROM pg_database WHERE datdba = 'souk_owner'::regrole \gexec
