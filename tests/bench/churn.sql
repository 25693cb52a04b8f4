-- What one customer does to the database in a day, statement by statement as
-- the functions do it: signs in, comes back three times, orders, pays or lets
-- it expire; and the mails that follow.  Each statement is a transaction.
\set by :client_id * 1000000 + :turn
\set turn :turn + 1
\set pays :turn % 2
SELECT sha256(convert_to(:day::text || '-' || :by::text || '-0', 'UTF8')) AS t0, sha256(convert_to(:day::text || '-' || :by::text || '-1', 'UTF8')) AS t1,
       sha256(convert_to(:day::text || '-' || :by::text || '-2', 'UTF8')) AS t2, sha256(convert_to(:day::text || '-' || :by::text || '-3', 'UTF8')) AS t3 \gset
SELECT users.session_open(:user, :t0::bytea, '127.0.0.1', 604800, 'bench', NULL);
SELECT outcome FROM users.refresh_rotate(:t0::bytea, :t1::bytea, 604800, 10);
SELECT outcome FROM users.refresh_rotate(:t1::bytea, :t2::bytea, 604800, 10);
SELECT outcome FROM users.refresh_rotate(:t2::bytea, :t3::bytea, 604800, 10);
SELECT id AS saga, order_id, epoch, nonce, amount FROM orders.place_v1(:user,
	json_build_array(json_build_object('productId', :product::bigint + :by::bigint % :products::bigint, 'quantity', '1')),
	'{"address": "1 Market Street", "city": "Riga", "zip": "LV-1010", "country": "LV"}', 'USD', 1000, 1000, 'bench',
	30, 1800, 'key-' || :day::text || '-' || :by::text, repeat('f', 64)) \gset
SELECT orders.saga_intent_created_v1(:saga, :epoch, 'pi_3bench' || :order_id::text, 'pi_3bench_secret', 60);
SELECT ops.idempotency_keep(:user, 'key-' || :day::text || '-' || :by::text, 201::smallint, 'Content-Type: application/json', orders.order_json(:order_id, :user)::text);
\if :pays
SELECT payments.webhook_ingest('evt_3bench' || :order_id::text, 'payment_intent.succeeded', json_build_object(
	'id', 'evt_3bench' || :order_id::text, 'type', 'payment_intent.succeeded', 'padding', repeat('x', 1000),
	'data', json_build_object('object', json_build_object('object', 'payment_intent', 'id', 'pi_3bench' || :order_id::text,
		'currency', 'usd', 'amount_received', :amount::bigint, 'payment_method', 'pm_1bench',
		'metadata', json_build_object('order_id', :order_id::text, 'nonce', :nonce::text)))));
\else
SELECT epoch AS again FROM orders.saga_claim_order(:order_id, 'bench', 30) \gset
SELECT orders.saga_compensate_v1(:saga, :again, 'Not paid in time', 30);
SELECT orders.saga_compensated_v1(:saga, :again, NULL);
\endif
SELECT ops.job_add('bench', jsonb_build_object('order', :order_id::bigint, 'padding', repeat('x', 200)));
SELECT ops.job_add('bench', jsonb_build_object('order', :order_id::bigint, 'padding', repeat('x', 200)));
SELECT coalesce(max(id), 0) AS job, coalesce(max(epoch), 0) AS held FROM ops.job_claim('{bench}', '{NULL}', 1, 'bench', 60) \gset
SELECT ops.job_done(:job, :held);
SELECT coalesce(max(id), 0) AS job, coalesce(max(epoch), 0) AS held FROM ops.job_claim('{bench}', '{NULL}', 1, 'bench', 60) \gset
SELECT ops.job_done(:job, :held);
