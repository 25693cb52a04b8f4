-- The Stripe simulator: Stripe's objects, its transitions and its webhooks.
--
-- Every API call is one statement, stripe_sim.call(): it looks the idempotency
-- key up, moves the state, writes the events and stores the answer in one
-- commit, as Stripe does.  The C side only reads the form and sends webhooks.
--
-- A transition works on a row held in a variable and saves it at the end, so
-- that what an event shows is what the table holds.

CREATE SCHEMA stripe_sim;
GRANT USAGE ON SCHEMA stripe_sim TO souk_stripe_sim;

--
-- Ids and values.
--

-- Letters and digits, up to 43 of them, each nearly even.
CREATE FUNCTION stripe_sim.random_text(length integer) RETURNS text
LANGUAGE sql VOLATILE
RETURN substr(translate(encode(sha256(uuid_send(gen_random_uuid())
	|| uuid_send(gen_random_uuid())), 'base64'), '+/', 'xQ'), 1, length);

CREATE FUNCTION stripe_sim.epoch(at timestamptz) RETURNS bigint
LANGUAGE sql STABLE RETURN floor(extract(epoch FROM at))::bigint;

CREATE FUNCTION stripe_sim.digits(currency text) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN currency IN ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga',
	'pyg', 'rwf', 'ugx', 'vnd', 'vuv', 'xaf', 'xof', 'xpf') THEN 0 ELSE 2 END;

-- What a charge must be at least, where Stripe says so.
CREATE FUNCTION stripe_sim.minimum(currency text) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN CASE currency WHEN 'gbp' THEN 30 WHEN 'mxn' THEN 1000 WHEN 'hkd' THEN 400
	WHEN 'dkk' THEN 250 WHEN 'sek' THEN 300 WHEN 'nok' THEN 300 ELSE 50 END;

-- "$0.50", "€10.00", "¥50", "10.00".
CREATE FUNCTION stripe_sim.money(amount bigint, currency text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE currency WHEN 'usd' THEN '$' WHEN 'eur' THEN '€' WHEN 'gbp' THEN '£'
	WHEN 'jpy' THEN '¥' ELSE '' END || CASE stripe_sim.digits(currency)
	WHEN 0 THEN amount::text ELSE to_char(amount / 100.0, 'FM999,999,990.00') END;

CREATE FUNCTION stripe_sim.currencies() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN string_to_array('usd,aed,afn,all,amd,ang,aoa,ars,aud,awg,azn,bam,bbd,bdt,bif,'
	'bmd,bnd,bob,brl,bsd,bwp,byn,bzd,cad,cdf,chf,clp,cny,cop,crc,cve,czk,djf,dkk,'
	'dop,dzd,egp,etb,eur,fjd,fkp,gbp,gel,gip,gmd,gnf,gtq,gyd,hkd,hnl,htg,huf,idr,'
	'ils,inr,isk,jmd,jpy,kes,kgs,khr,kmf,krw,kyd,kzt,lak,lbp,lkr,lrd,lsl,mad,mdl,'
	'mga,mkd,mmk,mnt,mop,mur,mvr,mwk,mxn,myr,mzn,nad,ngn,nio,nok,npr,nzd,pab,pen,'
	'pgk,php,pkr,pln,pyg,qar,ron,rsd,rub,rwf,sar,sbd,scr,sek,sgd,shp,sle,sos,srd,'
	'std,szl,thb,tjs,top,try,ttd,twd,tzs,uah,ugx,uyu,uzs,vnd,vuv,wst,xaf,xcd,xof,'
	'xpf,yer,zar,zmw', ',');

-- Functions that run on every payment are plpgsql, which keeps its plans; SQL
-- functions that cannot be inlined would be planned anew in every call.

-- metadata=, metadata[k]= and metadata[k]=v, applied to what is there.
CREATE FUNCTION stripe_sim.merge_metadata(old jsonb, params jsonb) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
	RETURN CASE jsonb_typeof(params -> 'metadata')
	WHEN 'object' THEN (
		SELECT coalesce(jsonb_object_agg(key, value), '{}')
		  FROM jsonb_each(old || (params -> 'metadata')) WHERE value <> '""')
	WHEN 'null' THEN '{}'
	ELSE old END;
END $$;

--
-- What there is.  seq orders the lists; ids are random.
--

-- Test cards.  code is the error of one that is declined; challenge, that the
-- bank wants to see its holder first; refund, what becomes of a refund to it.
CREATE TABLE stripe_sim.card (
	alias      text PRIMARY KEY,
	brand      text NOT NULL,
	last4      text NOT NULL,
	funding    text NOT NULL DEFAULT 'credit',
	code       text,
	decline_code text,
	network_decline_code text,
	advice_code text,
	message    text,
	challenge  boolean NOT NULL DEFAULT false,
	refund     text NOT NULL DEFAULT 'succeeded'
	           CHECK (refund IN ('succeeded', 'pending', 'failed')),
	CHECK ((code IS NULL) = (message IS NULL))
);

INSERT INTO stripe_sim.card (alias, brand, last4, funding) VALUES
	('pm_card_visa', 'visa', '4242', 'credit'),
	('pm_card_visa_debit', 'visa', '5556', 'debit'),
	('pm_card_mastercard', 'mastercard', '4444', 'credit'),
	('pm_card_mastercard_debit', 'mastercard', '8210', 'debit'),
	('pm_card_mastercard_prepaid', 'mastercard', '5100', 'prepaid'),
	('pm_card_amex', 'amex', '0005', 'credit'),
	('pm_card_discover', 'discover', '1117', 'credit'),
	('pm_card_diners', 'diners', '0004', 'credit'),
	('pm_card_jcb', 'jcb', '0505', 'credit'),
	('pm_card_unionpay', 'unionpay', '0005', 'credit');

-- The documentation writes these with the brand and without.
INSERT INTO stripe_sim.card
	(alias, brand, last4, code, decline_code, network_decline_code, advice_code, message)
SELECT prefix || name, 'visa', last4, code, decline_code, network, advice, message
  FROM (VALUES ('pm_card_'), ('pm_card_visa_')) spellings (prefix),
	(VALUES
	('chargeDeclined', '0002', 'card_declined', 'generic_decline', '01',
		'try_again_later', 'Your card was declined.'),
	('chargeDeclinedInsufficientFunds', '9995', 'card_declined', 'insufficient_funds', '51',
		'try_again_later', 'Your card has insufficient funds.'),
	('chargeDeclinedLostCard', '9987', 'card_declined', 'lost_card', '41',
		'do_not_try_again', 'Your card was declined.'),
	('chargeDeclinedStolenCard', '9979', 'card_declined', 'stolen_card', '43',
		'do_not_try_again', 'Your card was declined.'),
	('chargeDeclinedExpiredCard', '0069', 'expired_card', 'expired_card', '54',
		'confirm_card_data', 'Your card has expired.'),
	('chargeDeclinedIncorrectCvc', '0127', 'incorrect_cvc', 'incorrect_cvc', '82',
		'confirm_card_data', 'Your card''s security code is incorrect.'),
	('chargeDeclinedProcessingError', '0119', 'processing_error', 'processing_error', '96',
		'try_again_later', 'An error occurred while processing your card. Try again in a little bit.'))
	declines (name, last4, code, decline_code, network, advice, message);

INSERT INTO stripe_sim.card (alias, brand, last4, challenge, refund) VALUES
	('pm_card_authenticationRequired', 'visa', '3184', true, 'succeeded'),
	('pm_card_threeDSecure2Required', 'visa', '3220', true, 'succeeded'),
	('pm_card_threeDSecureRequired', 'visa', '3063', true, 'succeeded'),
	('pm_card_threeDSecureOptional', 'visa', '3055', false, 'succeeded'),
	('pm_card_pendingRefund', 'visa', '7726', false, 'pending'),
	('pm_card_refundFail', 'visa', '5126', false, 'failed');

CREATE TABLE stripe_sim.payment_method (
	seq        bigint GENERATED ALWAYS AS IDENTITY,
	id         text PRIMARY KEY,
	created_at timestamptz NOT NULL DEFAULT now(),
	card       text NOT NULL REFERENCES stripe_sim.card
);

CREATE SEQUENCE stripe_sim.payment_intent_seq;
CREATE TABLE stripe_sim.payment_intent (
	seq        bigint NOT NULL UNIQUE,
	id         text PRIMARY KEY,
	client_secret text NOT NULL,
	created_at timestamptz NOT NULL,
	status     text NOT NULL CHECK (status IN (
	           'requires_payment_method', 'requires_confirmation', 'requires_action',
	           'processing', 'requires_capture', 'succeeded', 'canceled')),
	amount     bigint NOT NULL CHECK (amount BETWEEN 1 AND 99999999),
	amount_capturable bigint NOT NULL CHECK (amount_capturable BETWEEN 0 AND amount),
	amount_received bigint NOT NULL CHECK (amount_received BETWEEN 0 AND amount),
	currency   text NOT NULL,
	capture_method text NOT NULL
	           CHECK (capture_method IN ('automatic', 'automatic_async', 'manual')),
	confirmation_method text NOT NULL CHECK (confirmation_method IN ('automatic', 'manual')),
	payment_method text REFERENCES stripe_sim.payment_method,
	payment_method_types text[] NOT NULL,
	automatic_payment_methods json,
	latest_charge text,
	last_payment_error json,
	next_action json,
	return_url text,
	canceled_at timestamptz,
	cancellation_reason text,
	metadata   jsonb NOT NULL,
	description text,
	receipt_email text,
	setup_future_usage text,
	shipping   json,
	statement_descriptor text,
	statement_descriptor_suffix text,
	CHECK ((status = 'canceled') = (canceled_at IS NOT NULL)),
	CHECK ((status = 'requires_action') = (next_action IS NOT NULL)),
	CHECK ((status = 'requires_capture') = (amount_capturable > 0)),
	CHECK (status <> 'succeeded' OR amount_received > 0)
) WITH (fillfactor = 50);
ALTER SEQUENCE stripe_sim.payment_intent_seq OWNED BY stripe_sim.payment_intent.seq;

CREATE SEQUENCE stripe_sim.charge_seq;
CREATE TABLE stripe_sim.charge (
	seq        bigint NOT NULL UNIQUE,
	id         text PRIMARY KEY,
	created_at timestamptz NOT NULL,
	payment_intent text NOT NULL REFERENCES stripe_sim.payment_intent,
	payment_method text NOT NULL REFERENCES stripe_sim.payment_method,
	status     text NOT NULL CHECK (status IN ('succeeded', 'pending', 'failed')),
	amount     bigint NOT NULL CHECK (amount > 0),
	amount_captured bigint NOT NULL CHECK (amount_captured BETWEEN 0 AND amount),
	amount_refunded bigint NOT NULL CHECK (amount_refunded BETWEEN 0 AND amount_captured),
	currency   text NOT NULL,
	disputed   boolean NOT NULL DEFAULT false,
	authenticated boolean NOT NULL,
	capture_before timestamptz,
	balance_transaction text,
	CHECK (status = 'succeeded' OR amount_captured = 0)
) WITH (fillfactor = 60);
ALTER SEQUENCE stripe_sim.charge_seq OWNED BY stripe_sim.charge.seq;
CREATE INDEX charge_intent ON stripe_sim.charge (payment_intent);

CREATE SEQUENCE stripe_sim.refund_seq;
CREATE TABLE stripe_sim.refund (
	seq        bigint NOT NULL UNIQUE,
	id         text PRIMARY KEY,
	created_at timestamptz NOT NULL,
	charge     text NOT NULL REFERENCES stripe_sim.charge,
	payment_intent text NOT NULL REFERENCES stripe_sim.payment_intent,
	amount     bigint NOT NULL CHECK (amount > 0),
	currency   text NOT NULL,
	reason     text,
	status     text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed')),
	reference  text,		-- the card network's, known later
	balance_transaction text,
	metadata   jsonb NOT NULL
);
ALTER SEQUENCE stripe_sim.refund_seq OWNED BY stripe_sim.refund.seq;
CREATE INDEX refund_charge ON stripe_sim.refund (charge);
CREATE INDEX refund_intent ON stripe_sim.refund (payment_intent);

-- data is what the event shows for ever, whatever becomes of the object.
CREATE TABLE stripe_sim.event (
	seq        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
	id         text PRIMARY KEY,
	created_at timestamptz NOT NULL DEFAULT now(),
	type       text NOT NULL,
	data       json NOT NULL,
	request    text,
	idempotency_key text
);
CREATE INDEX event_age ON stripe_sim.event (created_at);

-- Whoever sends to an endpoint leases it first: its events leave in order, and
-- one that hangs occupies one sender.  hangs: the last try had no answer.
CREATE TABLE stripe_sim.webhook_endpoint (
	seq        bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
	id         text PRIMARY KEY,
	created_at timestamptz NOT NULL DEFAULT now(),
	url        text NOT NULL,
	secret     text NOT NULL,
	enabled_events text[] NOT NULL CHECK (cardinality(enabled_events) > 0),
	description text,
	metadata   jsonb NOT NULL DEFAULT '{}',
	api_version text,
	disabled   boolean NOT NULL DEFAULT false,
	leased_until timestamptz NOT NULL DEFAULT '-infinity',
	hangs      boolean NOT NULL DEFAULT false
);

-- due_at is null once a delivery has succeeded or been given up.  position
-- orders those that are due at the same time.
CREATE TABLE stripe_sim.delivery (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	event      text NOT NULL REFERENCES stripe_sim.event ON DELETE CASCADE,
	endpoint   text NOT NULL REFERENCES stripe_sim.webhook_endpoint ON DELETE CASCADE,
	position   bigint NOT NULL,
	due_at     timestamptz,
	attempts   integer NOT NULL DEFAULT 0,
	delivered  boolean NOT NULL DEFAULT false,
	http_status integer,
	problem    text,
	CHECK (NOT delivered OR due_at IS NULL)
) WITH (fillfactor = 70);
CREATE INDEX delivery_due ON stripe_sim.delivery (endpoint, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX delivery_event ON stripe_sim.delivery (event);

-- What Stripe does by itself a little after the call that caused it.
CREATE TABLE stripe_sim.later (
	id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	due_at  timestamptz NOT NULL,
	what    text NOT NULL CHECK (what IN ('settle_charge', 'finish_refund')),
	subject text NOT NULL
);
CREATE INDEX later_due ON stripe_sim.later (due_at);

CREATE TABLE stripe_sim.idempotency_key (
	key        text PRIMARY KEY CHECK (length(key) BETWEEN 1 AND 255),
	fingerprint text NOT NULL,
	request    text NOT NULL,
	status     integer NOT NULL,
	body       text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX idempotency_key_age ON stripe_sim.idempotency_key (created_at);

-- What shall go wrong, on purpose.  remaining: how often still; null, always.
CREATE TABLE stripe_sim.fault (
	id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	kind       text NOT NULL CHECK (kind IN (
	           'rate_limit', 'error_before', 'delay', 'error_after', 'stall', 'drop',
	           'webhook_delay', 'webhook_duplicate', 'webhook_reorder', 'webhook_drop')),
	method     text,
	path       text,
	event_type text,
	endpoint   text,
	ms         integer NOT NULL DEFAULT 0 CHECK (ms >= 0),
	reason     text,
	remaining  integer CHECK (remaining > 0)
);

-- Which members of an object hold the id of another, for expand[].
CREATE TABLE stripe_sim.expandable (
	object   text NOT NULL,
	property text NOT NULL,
	target   text,			-- null: nothing here ever fills it
	PRIMARY KEY (object, property)
);
INSERT INTO stripe_sim.expandable VALUES
	('payment_intent', 'latest_charge', 'charge'),
	('payment_intent', 'payment_method', 'payment_method'),
	('payment_intent', 'customer', NULL),
	('payment_intent', 'application', NULL),
	('payment_intent', 'on_behalf_of', NULL),
	('payment_intent', 'review', NULL),
	('charge', 'payment_intent', 'payment_intent'),
	('charge', 'balance_transaction', 'balance_transaction'),
	('charge', 'refunds', 'refund'),
	('charge', 'customer', NULL),
	('charge', 'application', NULL),
	('charge', 'application_fee', NULL),
	('charge', 'on_behalf_of', NULL),
	('charge', 'review', NULL),
	('charge', 'transfer', NULL),
	('refund', 'charge', 'charge'),
	('refund', 'payment_intent', 'payment_intent'),
	('refund', 'balance_transaction', 'balance_transaction'),
	('refund', 'source_transfer_reversal', NULL),
	('refund', 'transfer_reversal', NULL),
	('payment_method', 'customer', NULL),
	('balance_transaction', 'source', NULL);

--
-- Refusals.
--

CREATE TYPE stripe_sim.answer AS (status integer, body json);
CREATE TYPE stripe_sim.request AS (
	id text, key text, publishable boolean, origin text);

-- An error's body; members that are null are left out.
CREATE FUNCTION stripe_sim.error_body(members json, request text) RETURNS json
LANGUAGE sql STABLE
RETURN (SELECT json_build_object('error', json_object_agg(key, value ORDER BY key))
	  FROM (SELECT key, value FROM json_each(members)
		UNION ALL
		SELECT 'doc_url', to_json('https://stripe.com/docs/error-codes/'
			|| replace(members ->> 'code', '_', '-'))
		UNION ALL
		SELECT 'request_log_url', to_json('https://dashboard.stripe.com/test/logs/'
			|| request || '?t=' || stripe_sim.epoch(now()))) parts
	 WHERE json_typeof(value) <> 'null');

-- Ends the call with an error and undoes what it has done.  SS000 are found
-- before anything is executed and do not use an idempotency key up.
CREATE FUNCTION stripe_sim.raise(p_state text, p_status integer, p_members json)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION '%', p_status USING ERRCODE = p_state, DETAIL = p_members::text;
END $$;

CREATE FUNCTION stripe_sim.invalid(p_code text, p_param text, p_message text)
RETURNS void LANGUAGE sql AS $$
	SELECT stripe_sim.raise('SS000', 400, json_build_object('code', p_code,
		'param', p_param, 'message', p_message, 'type', 'invalid_request_error'));
$$;

CREATE FUNCTION stripe_sim.refuse(p_code text, p_param text, p_message text,
	p_status integer DEFAULT 400)
RETURNS void LANGUAGE sql AS $$
	SELECT stripe_sim.raise('SS001', p_status, json_build_object('code', p_code,
		'param', p_param, 'message', p_message, 'type', 'invalid_request_error'));
$$;

CREATE FUNCTION stripe_sim.missing(p_object text, p_id text, p_param text,
	p_status integer DEFAULT 404)
RETURNS void LANGUAGE sql AS $$
	SELECT stripe_sim.refuse('resource_missing', p_param,
		format('No such %s: ''%s''', p_object, p_id), p_status);
$$;

--
-- Objects as Stripe writes them.
--

CREATE FUNCTION stripe_sim.payment_method_json(p stripe_sim.payment_method) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', p.id, 'object', 'payment_method',
	'allow_redisplay', 'unspecified',
	'billing_details', json_build_object('address', json_build_object('city', NULL,
		'country', NULL, 'line1', NULL, 'line2', NULL, 'postal_code', NULL, 'state', NULL),
		'email', NULL, 'name', NULL, 'phone', NULL, 'tax_id', NULL),
	'card', json_build_object('brand', c.brand,
		'checks', json_build_object('address_line1_check', NULL,
			'address_postal_code_check', NULL, 'cvc_check', 'unchecked'),
		'country', 'US', 'display_brand', c.brand,
		'exp_month', 12, 'exp_year', extract(year FROM p.created_at)::integer + 1,
		'fingerprint', substr(md5(c.brand || c.last4), 1, 16), 'funding', c.funding,
		'generated_from', NULL, 'last4', c.last4,
		'networks', json_build_object('available', json_build_array(c.brand), 'preferred', NULL),
		'regulated_status', 'unregulated',
		'three_d_secure_usage', json_build_object('supported', true), 'wallet', NULL),
	'created', stripe_sim.epoch(p.created_at), 'customer', NULL, 'customer_account', NULL,
	'livemode', false, 'metadata', '{}'::json, 'type', 'card')
	  FROM stripe_sim.card c WHERE c.alias = p.card);
END $$;

CREATE FUNCTION stripe_sim.payment_intent_json(p stripe_sim.payment_intent) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', p.id, 'object', 'payment_intent',
	'allowed_payment_method_types', NULL,
	'amount', p.amount, 'amount_capturable', p.amount_capturable,
	'amount_details', '{"tip":{}}'::json, 'amount_received', p.amount_received,
	'application', NULL, 'application_fee_amount', NULL,
	'automatic_payment_methods', p.automatic_payment_methods,
	'canceled_at', stripe_sim.epoch(p.canceled_at),
	'cancellation_reason', p.cancellation_reason,
	'capture_method', p.capture_method, 'client_secret', p.client_secret,
	'confirmation_method', p.confirmation_method,
	'created', stripe_sim.epoch(p.created_at), 'currency', p.currency,
	'customer', NULL, 'customer_account', NULL, 'description', p.description,
	'excluded_payment_method_types', NULL, 'last_payment_error', p.last_payment_error,
	'latest_charge', p.latest_charge, 'livemode', false,
	'managed_payments', '{"enabled":false}'::json, 'metadata', p.metadata,
	'next_action', p.next_action, 'on_behalf_of', NULL,
	'payment_method', p.payment_method, 'payment_method_configuration_details', NULL,
	'payment_method_options', '{"card":{"installments":null,"mandate_options":null,'
		'"network":null,"request_three_d_secure":"automatic"}}'::json,
	'payment_method_types', to_json(p.payment_method_types), 'payment_record', NULL,
	'processing', NULL, 'receipt_email', p.receipt_email, 'review', NULL,
	'setup_future_usage', p.setup_future_usage, 'shared_payment_granted_token', NULL,
	'shipping', p.shipping, 'source', NULL,
	'statement_descriptor', p.statement_descriptor,
	'statement_descriptor_suffix', p.statement_descriptor_suffix,
	'status', p.status, 'transfer_data', NULL, 'transfer_group', NULL);

-- What a buyer's browser may see of it.
CREATE FUNCTION stripe_sim.public_view(object json) RETURNS json
LANGUAGE sql IMMUTABLE
RETURN (SELECT json_object_agg(key, value) FROM json_each(object)
	 WHERE key <> ALL ('{allowed_payment_method_types,amount_capturable,amount_received,
		application,application_fee_amount,customer,customer_account,
		excluded_payment_method_types,latest_charge,managed_payments,metadata,
		on_behalf_of,payment_method_options,payment_record,review,
		shared_payment_granted_token,statement_descriptor,
		statement_descriptor_suffix,transfer_data,transfer_group}'));

CREATE FUNCTION stripe_sim.charge_json(p stripe_sim.charge) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', p.id, 'object', 'charge',
	'amount', p.amount, 'amount_captured', p.amount_captured,
	'amount_refunded', p.amount_refunded, 'application', NULL,
	'application_fee', NULL, 'application_fee_amount', NULL,
	'balance_transaction', p.balance_transaction,
	'billing_details', json_build_object('address', json_build_object('city', NULL,
		'country', NULL, 'line1', NULL, 'line2', NULL, 'postal_code', NULL, 'state', NULL),
		'email', NULL, 'name', NULL, 'phone', NULL, 'tax_id', NULL),
	'calculated_statement_descriptor',
		coalesce(i.statement_descriptor, 'SIMULATOR'),
	'captured', p.amount_captured > 0, 'created', stripe_sim.epoch(p.created_at),
	'currency', p.currency, 'customer', NULL, 'description', i.description,
	'disputed', p.disputed,
	'failure_code', CASE WHEN p.status = 'failed' THEN c.code END,
	'failure_message', CASE WHEN p.status = 'failed' THEN c.message END,
	'fraud_details', '{}'::json, 'livemode', false, 'metadata', i.metadata,
	'on_behalf_of', NULL, 'order', NULL,
	'outcome', CASE WHEN p.status = 'failed' THEN json_build_object(
		'advice_code', c.advice_code, 'network_advice_code', NULL,
		'network_decline_code', c.network_decline_code,
		'network_status', 'declined_by_network', 'reason', c.decline_code,
		'risk_level', 'normal',
		'seller_message', 'The bank returned the decline code `' || c.decline_code || '`.',
		'type', 'issuer_declined')
	ELSE json_build_object('advice_code', NULL, 'network_advice_code', NULL,
		'network_decline_code', NULL, 'network_status', 'approved_by_network',
		'reason', NULL, 'risk_level', 'normal', 'seller_message', 'Payment complete.',
		'type', 'authorized') END,
	'paid', p.status = 'succeeded', 'payment_intent', p.payment_intent,
	'payment_method', p.payment_method,
	'payment_method_details', json_build_object('card', json_build_object(
		'amount_authorized', CASE WHEN p.status = 'succeeded' THEN p.amount END,
		'authorization_code', NULL, 'brand', c.brand,
		'capture_before', stripe_sim.epoch(p.capture_before),
		'checks', json_build_object('address_line1_check', NULL,
			'address_postal_code_check', NULL,
			'cvc_check', CASE c.code WHEN 'incorrect_cvc' THEN 'fail' ELSE 'pass' END),
		'country', 'US', 'exp_month', 12,
		'exp_year', extract(year FROM m.created_at)::integer + 1,
		'fingerprint', substr(md5(c.brand || c.last4), 1, 16), 'funding', c.funding,
		'installments', NULL, 'last4', c.last4, 'mandate', NULL, 'network', c.brand,
		'three_d_secure', CASE WHEN p.authenticated THEN json_build_object(
			'authentication_flow', 'challenge', 'electronic_commerce_indicator', '05',
			'result', 'authenticated', 'result_reason', NULL, 'version', '2.2.0') END,
		'wallet', NULL), 'type', 'card'),
	'receipt_email', i.receipt_email, 'receipt_number', NULL,
	'receipt_url', CASE WHEN p.status = 'succeeded'
		THEN 'https://pay.stripe.com/receipts/payment/' || p.id END,
	'refunded', p.amount_refunded > 0 AND p.amount_refunded = p.amount_captured,
	'review', NULL, 'shipping', i.shipping, 'source', NULL, 'source_transfer', NULL,
	'statement_descriptor', i.statement_descriptor,
	'statement_descriptor_suffix', i.statement_descriptor_suffix,
	'status', p.status, 'transfer_data', NULL, 'transfer_group', NULL)
	  FROM stripe_sim.payment_intent i, stripe_sim.payment_method m, stripe_sim.card c
	 WHERE i.id = p.payment_intent AND m.id = p.payment_method AND c.alias = m.card);
END $$;

CREATE FUNCTION stripe_sim.refund_json(p stripe_sim.refund) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', p.id, 'object', 'refund', 'amount', p.amount,
	'balance_transaction', p.balance_transaction, 'charge', p.charge,
	'created', stripe_sim.epoch(p.created_at), 'currency', p.currency,
	'customer', NULL, 'customer_account', NULL,
	'destination_details', json_build_object('card', CASE WHEN p.reference IS NULL
		THEN json_build_object('reference_status', 'pending',
			'reference_type', 'acquirer_reference_number', 'type', 'refund')
		ELSE json_build_object('reference', p.reference, 'reference_status', 'available',
			'reference_type', 'acquirer_reference_number', 'type', 'refund') END,
		'type', 'card'),
	'metadata', p.metadata, 'payment_intent', p.payment_intent,
	'payment_method', c.payment_method, 'reason', p.reason, 'receipt_number', NULL,
	'source_transfer_reversal', NULL, 'status', p.status, 'transfer_reversal', NULL)
	  FROM stripe_sim.charge c WHERE c.id = p.charge);
END $$;

CREATE FUNCTION stripe_sim.event_json(p stripe_sim.event) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN json_build_object('id', p.id, 'object', 'event', 'api_version', '2026-08-26.dahlia',
	'created', stripe_sim.epoch(p.created_at), 'data', p.data, 'livemode', false,
	'pending_webhooks', (SELECT count(DISTINCT d.endpoint) FROM stripe_sim.delivery d
		WHERE d.event = p.id AND NOT d.delivered),
	'request', json_build_object('id', p.request, 'idempotency_key', p.idempotency_key),
	'type', p.type);
END $$;

-- Without its secret: only the answer to its creation has that.
CREATE FUNCTION stripe_sim.webhook_endpoint_json(p stripe_sim.webhook_endpoint) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', p.id, 'object', 'webhook_endpoint',
	'api_version', p.api_version, 'application', NULL,
	'created', stripe_sim.epoch(p.created_at), 'description', p.description,
	'enabled_events', to_json(p.enabled_events), 'livemode', false,
	'metadata', p.metadata,
	'status', CASE WHEN p.disabled THEN 'disabled' ELSE 'enabled' END, 'url', p.url);

-- 2.9 % and 30 cents, as of an ordinary account.
CREATE FUNCTION stripe_sim.balance_transaction_json(p_id text, p_amount bigint, p_currency text,
	p_source text, p_type text, p_created timestamptz) RETURNS json
LANGUAGE sql STABLE
RETURN (SELECT json_build_object('id', p_id, 'object', 'balance_transaction',
	'amount', p_amount, 'available_on', stripe_sim.epoch(p_created + interval '2 days'),
	'balance_type', 'payments', 'created', stripe_sim.epoch(p_created),
	'currency', p_currency, 'description', NULL, 'exchange_rate', NULL, 'fee', fee,
	'fee_details', CASE WHEN fee = 0 THEN '[]'::json ELSE json_build_array(
		json_build_object('amount', fee, 'application', NULL, 'currency', p_currency,
			'description', 'Stripe processing fees', 'type', 'stripe_fee')) END,
	'net', p_amount - fee, 'reporting_category', p_type, 'source', p_source,
	'status', 'pending', 'type', p_type)
	  FROM (SELECT CASE WHEN p_amount > 0 THEN (p_amount * 29 + 500) / 1000 + 30
		ELSE 0 END AS fee) fees);

-- The object of that id, whatever it is; null when there is none.
CREATE FUNCTION stripe_sim.object_json(p_id text) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN CASE split_part(p_id, '_', 1)
	WHEN 'pi' THEN (SELECT stripe_sim.payment_intent_json(o)
		FROM stripe_sim.payment_intent o WHERE id = p_id)
	WHEN 'ch' THEN (SELECT stripe_sim.charge_json(o) FROM stripe_sim.charge o WHERE id = p_id)
	WHEN 're' THEN (SELECT stripe_sim.refund_json(o) FROM stripe_sim.refund o WHERE id = p_id)
	WHEN 'pm' THEN (SELECT stripe_sim.payment_method_json(o)
		FROM stripe_sim.payment_method o WHERE id = p_id)
	WHEN 'evt' THEN (SELECT stripe_sim.event_json(o) FROM stripe_sim.event o WHERE id = p_id)
	WHEN 'we' THEN (SELECT stripe_sim.webhook_endpoint_json(o)
		FROM stripe_sim.webhook_endpoint o WHERE id = p_id)
	WHEN 'txn' THEN coalesce(
		(SELECT stripe_sim.balance_transaction_json(p_id, o.amount_captured, o.currency,
			o.id, 'charge', o.created_at)
		   FROM stripe_sim.charge o WHERE balance_transaction = p_id),
		(SELECT stripe_sim.balance_transaction_json(p_id, -o.amount, o.currency,
			o.id, 'refund', o.created_at)
		   FROM stripe_sim.refund o WHERE balance_transaction = p_id))
	END;
END $$;
CREATE INDEX charge_balance ON stripe_sim.charge (balance_transaction)
	WHERE balance_transaction IS NOT NULL;
CREATE INDEX refund_balance ON stripe_sim.refund (balance_transaction)
	WHERE balance_transaction IS NOT NULL;

--
-- expand[].  Paths are checked before anything is executed.
--

CREATE FUNCTION stripe_sim.check_expand(p_object text, p jsonb, p_prefix text DEFAULT '')
RETURNS void LANGUAGE plpgsql STABLE AS $$
DECLARE
	path text;
	owner text;
	step text;
BEGIN
	IF NOT p ? 'expand' THEN
		RETURN;
	END IF;
	FOR path IN SELECT jsonb_array_elements_text(p -> 'expand') LOOP
		owner := p_object;
		IF NOT starts_with(path, p_prefix) THEN
			PERFORM stripe_sim.invalid(NULL, NULL, format('This property cannot be expanded (%s).'
				' You may want to try expanding ''%s%1$s'' instead.', path, p_prefix));
		END IF;
		FOREACH step IN ARRAY string_to_array(substr(path, length(p_prefix) + 1), '.') LOOP
			-- A charge's refunds are a list: its members are one level down.
			CONTINUE WHEN step = 'data' AND owner = 'refund';
			SELECT e.target INTO owner FROM stripe_sim.expandable e
			 WHERE e.object = owner AND e.property = step;
			IF NOT FOUND THEN
				PERFORM stripe_sim.invalid(NULL, NULL,
					format('This property cannot be expanded (%s).', path));
			END IF;
		END LOOP;
	END LOOP;
END $$;

CREATE FUNCTION stripe_sim.paths(p jsonb, p_prefix text DEFAULT '') RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT substr(path, length(p_prefix) + 1)
	FROM jsonb_array_elements_text(p -> 'expand') path);

CREATE FUNCTION stripe_sim.expand(p_object json, p_paths text[]) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
	made json;
	wanted text[];
BEGIN
	IF p_object IS NULL OR coalesce(cardinality(p_paths), 0) = 0 THEN
		RETURN p_object;
	END IF;
	wanted := ARRAY(SELECT split_part(path, '.', 1) FROM unnest(p_paths) path);
	IF p_object ->> 'object' = 'charge' AND 'refunds' = ANY (wanted) THEN
		p_object := (SELECT json_object_agg(key, value ORDER BY at) FROM (
			SELECT key, value, at FROM json_each(p_object) WITH ORDINALITY each (key, value, at)
			UNION ALL
			SELECT 'refunds', to_json(p_object ->> 'id'), 1000) members);
	END IF;
	SELECT json_object_agg(key, CASE
		WHEN NOT key = ANY (wanted) OR json_typeof(value) <> 'string' THEN value
		WHEN key = 'refunds' THEN stripe_sim.refunds_of(value #>> '{}', rest)
		ELSE coalesce(stripe_sim.expand(stripe_sim.object_json(value #>> '{}'), rest), value)
		END)
	  INTO made
	  FROM json_each(p_object), LATERAL (
		SELECT ARRAY(SELECT substr(path, length(key) + 2) FROM unnest(p_paths) path
			      WHERE starts_with(path, key || '.')) AS rest) below;
	RETURN made;
END $$;

CREATE FUNCTION stripe_sim.refunds_of(p_charge text, p_paths text[]) RETURNS json
LANGUAGE sql STABLE AS $$
	SELECT json_build_object('object', 'list', 'data', coalesce(json_agg(
			stripe_sim.expand(stripe_sim.refund_json(r),
				ARRAY(SELECT substr(path, 6) FROM unnest(p_paths) path))
			ORDER BY seq DESC), '[]'),
		'has_more', false, 'url', '/v1/charges/' || p_charge || '/refunds')
	  FROM stripe_sim.refund r WHERE r.charge = p_charge;
$$;

--
-- Lists: newest first, by cursor.
--

-- p_where is SQL of this file's own, over the parameters $2.
CREATE FUNCTION stripe_sim.list(p_table text, p jsonb, p_url text, p_where text DEFAULT 'true')
RETURNS stripe_sim.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	forward boolean := NOT p ? 'ending_before';
	cursor_name text := CASE WHEN forward THEN 'starting_after' ELSE 'ending_before' END;
	cursor_seq bigint;
	size integer := least(greatest(coalesce((p ->> 'limit')::numeric, 10), 1), 100);
	data json;
	found integer;
BEGIN
	IF p ? 'starting_after' AND p ? 'ending_before' THEN
		PERFORM stripe_sim.invalid(NULL, NULL, 'Received both starting_after and'
			' ending_before parameters. Please pass in only one.');
	END IF;
	PERFORM stripe_sim.check_expand(p_table, p, 'data.');
	IF p ? cursor_name THEN
		EXECUTE format('SELECT seq FROM stripe_sim.%I WHERE id = $1', p_table)
		   INTO cursor_seq USING p ->> cursor_name;
		IF cursor_seq IS NULL THEN
			PERFORM stripe_sim.missing(p_table, p ->> cursor_name, cursor_name, 400);
		END IF;
	END IF;
	EXECUTE format(
		'WITH page AS MATERIALIZED ('
		'	SELECT o FROM stripe_sim.%1$I o'
		'	 WHERE ($1 IS NULL OR seq %2$s $1) AND %3$s'
		'	   AND stripe_sim.created_fits(created_at, $2)'
		'	 ORDER BY seq %4$s LIMIT $3 + 1)'
		'SELECT coalesce(json_agg(stripe_sim.expand(stripe_sim.%1$s_json(o), $4)'
		'		ORDER BY (o).seq DESC), ''[]''),'
		'       (SELECT count(*) FROM page)'
		'  FROM (SELECT o FROM page ORDER BY (o).seq %4$s LIMIT $3) shown',
		p_table, CASE WHEN forward THEN '<' ELSE '>' END, p_where,
		CASE WHEN forward THEN 'DESC' ELSE 'ASC' END)
	   INTO data, found USING cursor_seq, p, size, stripe_sim.paths(p, 'data.');
	RETURN (200, json_build_object('object', 'list', 'data', data,
		'has_more', found > size, 'url', p_url));
END $$;

CREATE FUNCTION stripe_sim.created_fits(at timestamptz, p jsonb) RETURNS boolean
LANGUAGE sql STABLE
RETURN (NOT p ? 'created' OR stripe_sim.epoch(at) = (p ->> 'created')::numeric)
	AND (NOT p ? 'created[gt]' OR stripe_sim.epoch(at) > (p ->> 'created[gt]')::numeric)
	AND (NOT p ? 'created[gte]' OR stripe_sim.epoch(at) >= (p ->> 'created[gte]')::numeric)
	AND (NOT p ? 'created[lt]' OR stripe_sim.epoch(at) < (p ->> 'created[lt]')::numeric)
	AND (NOT p ? 'created[lte]' OR stripe_sim.epoch(at) <= (p ->> 'created[lte]')::numeric);

CREATE FUNCTION stripe_sim.type_fits(type text, pattern text) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN pattern = '*' OR type = pattern
	OR (pattern LIKE '%.*' AND starts_with(type, left(pattern, -1)));

--
-- Events, and what goes wrong with them on purpose.
--

-- Takes one use of a fault that fits; null when there is none.
CREATE FUNCTION stripe_sim.take_fault(p_kinds text[], p_method text, p_path text,
	p_type text DEFAULT NULL, p_endpoint text DEFAULT NULL)
RETURNS stripe_sim.fault LANGUAGE plpgsql AS $$
DECLARE
	f stripe_sim.fault;
BEGIN
	SELECT * INTO f FROM stripe_sim.fault
	 WHERE kind = ANY (p_kinds) AND coalesce(method = p_method, true)
	   AND coalesce(starts_with(p_path, path), true)
	   AND coalesce(stripe_sim.type_fits(p_type, event_type), true)
	   AND coalesce(p_endpoint = endpoint, true)
	 ORDER BY id LIMIT 1;
	IF f.remaining IS NULL THEN
		RETURN f;
	END IF;
	-- One use is one request's, however many come at once.
	DELETE FROM stripe_sim.fault WHERE id = f.id AND remaining = 1;
	IF NOT FOUND THEN
		UPDATE stripe_sim.fault SET remaining = remaining - 1
		 WHERE id = f.id AND remaining > 1;
	END IF;
	RETURN CASE WHEN FOUND THEN f END;
END $$;

CREATE FUNCTION stripe_sim.deliver_to(p_event text, p_endpoint text, p_due timestamptz,
	p_newest_first boolean DEFAULT false) RETURNS void LANGUAGE sql AS $$
	INSERT INTO stripe_sim.delivery (event, endpoint, due_at, position)
	SELECT e.id, p_endpoint, p_due, CASE WHEN p_newest_first THEN -e.seq ELSE e.seq END
	  FROM stripe_sim.event e WHERE e.id = p_event;
$$;

-- For each endpoint that wants the event: once and now, but for a fault.
CREATE FUNCTION stripe_sim.deliver_with_faults(p_event text, p_type text, p_endpoint text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	f stripe_sim.fault := stripe_sim.take_fault('{webhook_delay,webhook_duplicate,'
		'webhook_reorder,webhook_drop}', NULL, NULL, p_type, p_endpoint);
	held timestamptz := now() + make_interval(secs => coalesce(f.ms, 0) / 1000.0);
BEGIN
	CASE f.kind
	WHEN 'webhook_drop' THEN
		-- As if it had been sent and nothing had come of it.
		PERFORM stripe_sim.deliver_to(p_event, p_endpoint, NULL);
	WHEN 'webhook_duplicate' THEN
		PERFORM stripe_sim.deliver_to(p_event, p_endpoint, now());
		PERFORM stripe_sim.deliver_to(p_event, p_endpoint, held);
	WHEN 'webhook_delay' THEN
		PERFORM stripe_sim.deliver_to(p_event, p_endpoint, held);
	WHEN 'webhook_reorder' THEN
		-- Those held back already and this one leave together, last one first.
		PERFORM stripe_sim.deliver_to(p_event, p_endpoint, coalesce((
			SELECT min(due_at) FROM stripe_sim.delivery
			 WHERE endpoint = p_endpoint AND due_at > now() AND position < 0), held), true);
	ELSE
		PERFORM stripe_sim.deliver_to(p_event, p_endpoint, now());
	END CASE;
END $$;

CREATE FUNCTION stripe_sim.emit(r stripe_sim.request, p_type text, p_object json,
	p_previous json DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	made text := 'evt_1' || stripe_sim.random_text(23);
	place bigint;
BEGIN
	INSERT INTO stripe_sim.event (id, type, data, request, idempotency_key)
	VALUES (made, p_type, CASE WHEN p_previous IS NULL
		THEN json_build_object('object', p_object)
		ELSE json_build_object('object', p_object, 'previous_attributes', p_previous) END,
		r.id, r.key)
	RETURNING seq INTO place;
	IF EXISTS (SELECT FROM stripe_sim.fault WHERE kind LIKE 'webhook%') THEN
		PERFORM stripe_sim.deliver_with_faults(made, p_type, w.id)
		   FROM stripe_sim.webhook_endpoint w
		  WHERE NOT w.disabled AND EXISTS (SELECT FROM unnest(w.enabled_events) pattern
			WHERE stripe_sim.type_fits(p_type, pattern));
	ELSE
		INSERT INTO stripe_sim.delivery (event, endpoint, due_at, position)
		SELECT made, w.id, now(), place FROM stripe_sim.webhook_endpoint w
		 WHERE NOT w.disabled AND EXISTS (SELECT FROM unnest(w.enabled_events) pattern
			WHERE stripe_sim.type_fits(p_type, pattern));
	END IF;
END $$;

--
-- Payment intents.
--

CREATE FUNCTION stripe_sim.save(pi stripe_sim.payment_intent) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	UPDATE stripe_sim.payment_intent SET
		status = pi.status, amount = pi.amount, amount_capturable = pi.amount_capturable,
		amount_received = pi.amount_received, currency = pi.currency,
		capture_method = pi.capture_method, payment_method = pi.payment_method,
		payment_method_types = pi.payment_method_types,
		automatic_payment_methods = pi.automatic_payment_methods,
		latest_charge = pi.latest_charge, last_payment_error = pi.last_payment_error,
		next_action = pi.next_action, return_url = pi.return_url,
		canceled_at = pi.canceled_at, cancellation_reason = pi.cancellation_reason,
		metadata = pi.metadata, description = pi.description,
		receipt_email = pi.receipt_email, setup_future_usage = pi.setup_future_usage,
		shipping = pi.shipping, statement_descriptor = pi.statement_descriptor,
		statement_descriptor_suffix = pi.statement_descriptor_suffix
	 WHERE id = pi.id;
END $$;

-- Its row, locked.  A lock that another call holds too long is a 429, as at
-- Stripe; a buyer's browser must show the intent's own secret.
CREATE FUNCTION stripe_sim.lock_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.payment_intent LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
BEGIN
	BEGIN
		SELECT * INTO pi FROM stripe_sim.payment_intent WHERE id = p_id FOR NO KEY UPDATE;
	EXCEPTION WHEN lock_not_available THEN
		PERFORM stripe_sim.raise('SS000', 429, json_build_object('code', 'lock_timeout',
			'message', 'This object cannot be accessed right now because another API request'
			' or Stripe process is currently accessing it. If you see this error'
			' intermittently, retry the request.', 'type', 'invalid_request_error'));
	END;
	IF pi.id IS NULL THEN
		PERFORM stripe_sim.missing('payment_intent', p_id, 'intent');
	END IF;
	PERFORM stripe_sim.check_client_secret(r, pi, p);
	RETURN pi;
END $$;

CREATE FUNCTION stripe_sim.check_client_secret(r stripe_sim.request,
	pi stripe_sim.payment_intent, p jsonb) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF r.publishable AND NOT p ? 'client_secret' THEN
		PERFORM stripe_sim.invalid('parameter_missing', 'client_secret',
			'Missing required param: client_secret.');
	ELSIF p ? 'client_secret' AND p ->> 'client_secret' IS DISTINCT FROM pi.client_secret THEN
		PERFORM stripe_sim.invalid('payment_intent_invalid_parameter', 'client_secret',
			'The client_secret provided does not match the client_secret associated with'
			' the PaymentIntent.');
	END IF;
END $$;

CREATE FUNCTION stripe_sim.intent_answer(r stripe_sim.request, p_object json, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF r.publishable THEN
		RETURN (200, stripe_sim.public_view(p_object));
	ELSIF p ? 'expand' THEN
		RETURN (200, stripe_sim.expand(p_object, stripe_sim.paths(p)));
	END IF;
	RETURN (200, p_object);
END $$;

-- 400 payment_intent_unexpected_state, the intent in it.
CREATE FUNCTION stripe_sim.unexpected_state(pi stripe_sim.payment_intent, p_message text,
	p_param text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
	SELECT stripe_sim.raise('SS001', 400, json_build_object(
		'code', 'payment_intent_unexpected_state', 'param', p_param,
		'message', p_message, 'payment_intent', stripe_sim.payment_intent_json(pi),
		'type', 'invalid_request_error'));
$$;

CREATE FUNCTION stripe_sim.check_amount(p_amount bigint, p_currency text, p_param text)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF p_amount < 1 THEN
		PERFORM stripe_sim.invalid('parameter_invalid_integer', p_param,
			'This value must be greater than or equal to 1.');
	ELSIF p_amount > 99999999 THEN
		PERFORM stripe_sim.invalid('amount_too_large', p_param, format(
			'Amount must be no more than %s', stripe_sim.money(99999999, p_currency)));
	ELSIF p_amount < stripe_sim.minimum(p_currency) THEN
		PERFORM stripe_sim.invalid('amount_too_small', p_param, format(
			'Amount must be at least %s %s',
			stripe_sim.money(stripe_sim.minimum(p_currency), p_currency), p_currency));
	END IF;
END $$;

CREATE FUNCTION stripe_sim.check_currency(p_currency text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF p_currency <> ALL (stripe_sim.currencies()) THEN
		PERFORM stripe_sim.invalid(NULL, 'currency', format('Invalid currency: %s.'
			' Stripe currently supports these currencies: %s', p_currency,
			array_to_string(stripe_sim.currencies(), ', ')));
	END IF;
END $$;

CREATE FUNCTION stripe_sim.check_metadata(p_metadata jsonb) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
	IF (SELECT count(*) FROM jsonb_object_keys(p_metadata)) > 50 THEN
		PERFORM stripe_sim.invalid(NULL, 'metadata', 'Metadata can have at most 50 keys.');
	END IF;
END $$;

CREATE FUNCTION stripe_sim.shipping(p jsonb) RETURNS json LANGUAGE sql IMMUTABLE
RETURN json_build_object('address', json_build_object(
	'city', p ->> 'shipping[address][city]', 'country', p ->> 'shipping[address][country]',
	'line1', p ->> 'shipping[address][line1]', 'line2', p ->> 'shipping[address][line2]',
	'postal_code', p ->> 'shipping[address][postal_code]',
	'state', p ->> 'shipping[address][state]'),
	'carrier', p ->> 'shipping[carrier]', 'name', p ->> 'shipping[name]',
	'phone', p ->> 'shipping[phone]', 'tracking_number', p ->> 'shipping[tracking_number]');

-- A test alias becomes a payment method of its own.
CREATE FUNCTION stripe_sim.resolve_payment_method(p_given text) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
	made text;
BEGIN
	INSERT INTO stripe_sim.payment_method (id, card)
	SELECT 'pm_1' || stripe_sim.random_text(23), alias
	  FROM stripe_sim.card WHERE alias = p_given
	RETURNING id INTO made;
	IF made IS NULL THEN
		SELECT id INTO made FROM stripe_sim.payment_method WHERE id = p_given;
	END IF;
	IF made IS NULL THEN
		PERFORM stripe_sim.missing('PaymentMethod', p_given, 'payment_method', 400);
	END IF;
	RETURN made;
END $$;

-- What create, update and confirm may all write.
CREATE FUNCTION stripe_sim.apply(pi stripe_sim.payment_intent, p jsonb)
RETURNS stripe_sim.payment_intent LANGUAGE plpgsql AS $$
BEGIN
	pi := jsonb_populate_record(pi, (SELECT coalesce(jsonb_object_agg(key, value), '{}')
		FROM jsonb_each(p) WHERE key = ANY ('{amount,currency,capture_method,
			confirmation_method,return_url,description,receipt_email,
			setup_future_usage,statement_descriptor,statement_descriptor_suffix}')));
	IF p ? 'metadata' THEN
		pi.metadata := stripe_sim.merge_metadata(pi.metadata, p);
		PERFORM stripe_sim.check_metadata(pi.metadata);
	END IF;
	IF jsonb_typeof(p -> 'shipping') = 'null' THEN
		pi.shipping := NULL;
	ELSIF p ? 'shipping[name]' OR p ? 'shipping[address][line1]' THEN
		pi.shipping := stripe_sim.shipping(p);
	END IF;
	IF p ? 'payment_method_types' THEN
		-- An account that has cards and nothing else switched on.
		IF p -> 'payment_method_types' <> '["card"]' THEN
			PERFORM stripe_sim.invalid('payment_intent_invalid_parameter',
				'payment_method_types', 'The payment method type provided is invalid. Please'
				' ensure the provided type is activated in your dashboard and your account is'
				' enabled for any preview features that you are trying to use.');
		END IF;
		pi.payment_method_types := '{card}';
		pi.automatic_payment_methods := NULL;
	END IF;
	IF p ->> 'payment_method' IS NOT NULL THEN
		pi.payment_method := stripe_sim.resolve_payment_method(p ->> 'payment_method');
		pi.next_action := NULL;
		pi.status := 'requires_confirmation';
	ELSIF p ? 'payment_method' THEN
		pi.payment_method := NULL;
		pi.next_action := NULL;
		pi.status := 'requires_payment_method';
	END IF;
	RETURN pi;
END $$;

CREATE FUNCTION stripe_sim.create_intent(r stripe_sim.request, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
	confirmed boolean := coalesce((p ->> 'confirm')::boolean, false);
	unwanted text;
	object json;
BEGIN
	p := p || jsonb_build_object('currency', lower(p ->> 'currency'));
	PERFORM stripe_sim.check_currency(p ->> 'currency');
	PERFORM stripe_sim.check_amount((p ->> 'amount')::bigint, p ->> 'currency', 'amount');
	PERFORM stripe_sim.check_expand('payment_intent', p);
	IF p ->> 'customer' IS NOT NULL THEN
		PERFORM stripe_sim.missing('customer', p ->> 'customer', 'customer', 400);
	END IF;
	IF NOT confirmed THEN
		SELECT name INTO unwanted
		  FROM unnest('{off_session,error_on_requires_action,return_url}'::text[]) name
		 WHERE p ? name AND p ->> name IS DISTINCT FROM 'false';
		IF FOUND THEN
			PERFORM stripe_sim.invalid(NULL, unwanted, format('You cannot set `%s` when'
				' creating a PaymentIntent with `confirm=false` or without `confirm`.', unwanted));
		END IF;
	END IF;
	IF p ->> 'automatic_payment_methods[enabled]' = 'true' AND p ? 'payment_method_types' THEN
		PERFORM stripe_sim.invalid(NULL, NULL, 'You may only specify one of these'
			' parameters: automatic_payment_methods, payment_method_types.');
	END IF;

	pi.seq := nextval('stripe_sim.payment_intent_seq');
	pi.id := 'pi_3' || stripe_sim.random_text(23);
	pi.client_secret := pi.id || '_secret_' || stripe_sim.random_text(25);
	pi.created_at := now();
	pi.status := 'requires_payment_method';
	pi.amount_capturable := 0;
	pi.amount_received := 0;
	pi.capture_method := 'automatic_async';
	pi.confirmation_method := 'automatic';
	pi.payment_method_types := '{card}';
	pi.metadata := '{}';
	IF p ->> 'automatic_payment_methods[enabled]' IS DISTINCT FROM 'false' THEN
		pi.automatic_payment_methods := json_build_object('allow_redirects',
			coalesce(p ->> 'automatic_payment_methods[allow_redirects]', 'always'),
			'enabled', true);
	END IF;
	pi := stripe_sim.apply(pi, p);
	INSERT INTO stripe_sim.payment_intent VALUES (pi.*);
	object := stripe_sim.payment_intent_json(pi);
	PERFORM stripe_sim.emit(r, 'payment_intent.created', object);
	IF confirmed THEN
		RETURN stripe_sim.confirm(r, pi, p);
	END IF;
	RETURN stripe_sim.intent_answer(r, object, p);
END $$;

CREATE FUNCTION stripe_sim.retrieve_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
BEGIN
	PERFORM stripe_sim.check_expand('payment_intent', p);
	SELECT * INTO pi FROM stripe_sim.payment_intent WHERE id = p_id;
	IF NOT FOUND THEN
		PERFORM stripe_sim.missing('payment_intent', p_id, 'intent');
	END IF;
	PERFORM stripe_sim.check_client_secret(r, pi, p);
	RETURN stripe_sim.intent_answer(r, stripe_sim.payment_intent_json(pi), p);
END $$;

-- Metadata and texts stay writable for ever; what was agreed to does not.
CREATE FUNCTION stripe_sim.update_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
	fixed text;
BEGIN
	PERFORM stripe_sim.check_expand('payment_intent', p);
	pi := stripe_sim.lock_intent(r, p_id, p);
	IF p ? 'currency' THEN
		p := p || jsonb_build_object('currency', lower(p ->> 'currency'));
		PERFORM stripe_sim.check_currency(p ->> 'currency');
	END IF;
	IF p ? 'amount' THEN
		PERFORM stripe_sim.check_amount((p ->> 'amount')::bigint,
			coalesce(p ->> 'currency', pi.currency), 'amount');
	END IF;
	IF p ->> 'customer' IS NOT NULL THEN
		PERFORM stripe_sim.missing('customer', p ->> 'customer', 'customer', 400);
	END IF;
	IF pi.status NOT IN ('requires_payment_method', 'requires_confirmation', 'requires_action') THEN
		SELECT name INTO fixed FROM unnest('{amount,currency,payment_method,
			payment_method_types,capture_method,setup_future_usage}'::text[]) name
		 WHERE p ? name;
		IF FOUND THEN
			PERFORM stripe_sim.unexpected_state(pi, format('This PaymentIntent''s %1$s could'
				' not be updated because it has a status of %2$s. You may only update the'
				' %1$s of a PaymentIntent with one of the following statuses:'
				' requires_payment_method, requires_confirmation, requires_action.',
				fixed, pi.status), fixed);
		END IF;
	END IF;
	pi := stripe_sim.apply(pi, p);
	PERFORM stripe_sim.save(pi);
	RETURN stripe_sim.intent_answer(r, stripe_sim.payment_intent_json(pi), p);
END $$;

CREATE FUNCTION stripe_sim.confirm_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
BEGIN
	PERFORM stripe_sim.check_expand('payment_intent', p);
	pi := stripe_sim.lock_intent(r, p_id, p);
	IF pi.status = 'succeeded' THEN
		PERFORM stripe_sim.unexpected_state(pi, 'You cannot confirm this PaymentIntent because'
			' it has already succeeded after being previously confirmed.');
	ELSIF pi.status NOT IN ('requires_payment_method', 'requires_confirmation',
	    'requires_action') THEN
		PERFORM stripe_sim.unexpected_state(pi, format('You cannot confirm this PaymentIntent'
			' because it has a status of %s. Only a PaymentIntent with one of the following'
			' statuses may be confirmed: requires_payment_method, requires_confirmation,'
			' requires_action.', pi.status));
	END IF;
	RETURN stripe_sim.confirm(r, stripe_sim.apply(pi, p), p);
END $$;

-- The card is asked: it pays, declines, or wants its holder authenticated.
CREATE FUNCTION stripe_sim.confirm(r stripe_sim.request, pi stripe_sim.payment_intent, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	card stripe_sim.card;
BEGIN
	IF pi.payment_method IS NULL THEN
		PERFORM stripe_sim.unexpected_state(pi, 'You cannot confirm this PaymentIntent because'
			' it''s missing a payment method. You can either update the PaymentIntent with a'
			' payment method and then confirm it again, or confirm it again directly with a'
			' payment method or ConfirmationToken.');
	END IF;
	SELECT c.* INTO card FROM stripe_sim.payment_method m
	  JOIN stripe_sim.card c ON c.alias = m.card WHERE m.id = pi.payment_method;
	IF card.code IS NOT NULL THEN
		RETURN stripe_sim.decline(r, pi, card);
	ELSIF NOT card.challenge THEN
		pi := stripe_sim.pay(r, pi, false);
		RETURN stripe_sim.intent_answer(r, stripe_sim.payment_intent_json(pi), p);
	ELSIF p ->> 'off_session' IN ('true', 'one_off', 'recurring')
	    OR p ->> 'error_on_requires_action' = 'true' THEN
		RETURN stripe_sim.fail_intent(r, pi, json_build_object('code', 'authentication_required',
			'decline_code', 'authentication_required',
			'message', 'Your card was declined. This transaction requires authentication.',
			'type', 'card_error'));
	END IF;
	pi.status := 'requires_action';
	pi.next_action := CASE WHEN pi.return_url IS NULL OR p ->> 'use_stripe_sdk' = 'true'
		THEN json_build_object('type', 'use_stripe_sdk', 'use_stripe_sdk', json_build_object(
			'type', 'three_d_secure_redirect',
			'stripe_js', r.origin || '/simulator/authenticate/' || pi.id))
		ELSE json_build_object('type', 'redirect_to_url', 'redirect_to_url', json_build_object(
			'return_url', pi.return_url,
			'url', r.origin || '/simulator/authenticate/' || pi.id)) END;
	PERFORM stripe_sim.save(pi);
	PERFORM stripe_sim.emit(r, 'payment_intent.requires_action',
		stripe_sim.payment_intent_json(pi));
	RETURN stripe_sim.intent_answer(r, stripe_sim.payment_intent_json(pi), p);
END $$;

CREATE FUNCTION stripe_sim.add_charge(pi stripe_sim.payment_intent, p_status text,
	p_authenticated boolean) RETURNS stripe_sim.charge LANGUAGE plpgsql AS $$
DECLARE
	ch stripe_sim.charge;
	held boolean := p_status = 'succeeded' AND pi.capture_method = 'manual';
BEGIN
	ch.seq := nextval('stripe_sim.charge_seq');
	ch.id := 'ch_3' || stripe_sim.random_text(23);
	ch.created_at := now();
	ch.payment_intent := pi.id;
	ch.payment_method := pi.payment_method;
	ch.status := p_status;
	ch.amount := pi.amount;
	ch.amount_captured := CASE WHEN p_status = 'succeeded' AND NOT held THEN pi.amount ELSE 0 END;
	ch.amount_refunded := 0;
	ch.currency := pi.currency;
	ch.disputed := false;
	ch.authenticated := p_authenticated;
	ch.capture_before := CASE WHEN held THEN now() + interval '7 days' END;
	IF p_status = 'succeeded' AND pi.capture_method = 'automatic' THEN
		ch.balance_transaction := 'txn_3' || stripe_sim.random_text(23);
	ELSIF p_status = 'succeeded' AND NOT held THEN
		INSERT INTO stripe_sim.later (due_at, what, subject)
		VALUES (now() + interval '1 second', 'settle_charge', ch.id);
	END IF;
	INSERT INTO stripe_sim.charge VALUES (ch.*);
	RETURN ch;
END $$;

CREATE FUNCTION stripe_sim.pay(r stripe_sim.request, pi stripe_sim.payment_intent,
	p_authenticated boolean) RETURNS stripe_sim.payment_intent LANGUAGE plpgsql AS $$
DECLARE
	ch stripe_sim.charge := stripe_sim.add_charge(pi, 'succeeded', p_authenticated);
	held boolean := pi.capture_method = 'manual';
BEGIN
	pi.status := CASE WHEN held THEN 'requires_capture' ELSE 'succeeded' END;
	pi.amount_capturable := CASE WHEN held THEN pi.amount ELSE 0 END;
	pi.amount_received := CASE WHEN held THEN 0 ELSE pi.amount END;
	pi.latest_charge := ch.id;
	pi.last_payment_error := NULL;
	pi.next_action := NULL;
	PERFORM stripe_sim.save(pi);
	PERFORM stripe_sim.emit(r, 'charge.succeeded', stripe_sim.charge_json(ch));
	PERFORM stripe_sim.emit(r, CASE WHEN held THEN 'payment_intent.amount_capturable_updated'
		ELSE 'payment_intent.succeeded' END, stripe_sim.payment_intent_json(pi));
	RETURN pi;
END $$;

CREATE FUNCTION stripe_sim.decline(r stripe_sim.request, pi stripe_sim.payment_intent,
	card stripe_sim.card) RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	ch stripe_sim.charge := stripe_sim.add_charge(pi, 'failed', false);
BEGIN
	pi.latest_charge := ch.id;
	PERFORM stripe_sim.save(pi);
	PERFORM stripe_sim.emit(r, 'charge.failed', stripe_sim.charge_json(ch));
	RETURN stripe_sim.fail_intent(r, pi, json_build_object('advice_code', card.advice_code,
		'charge', ch.id, 'code', card.code, 'decline_code', card.decline_code,
		'message', card.message, 'network_decline_code', card.network_decline_code,
		'type', 'card_error'));
END $$;

-- Back to waiting for a payment method.  What failed stays in
-- last_payment_error, and the caller gets the same with the intent in it.
CREATE FUNCTION stripe_sim.fail_intent(r stripe_sim.request, pi stripe_sim.payment_intent,
	p_error json) RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	shown json := (p_error::jsonb || jsonb_build_object('payment_method',
		stripe_sim.object_json(pi.payment_method)))::json;
BEGIN
	pi.last_payment_error := (stripe_sim.error_body(shown, r.id) -> 'error')::jsonb
		- 'request_log_url';
	pi.payment_method := NULL;
	pi.next_action := NULL;
	pi.status := 'requires_payment_method';
	PERFORM stripe_sim.save(pi);
	PERFORM stripe_sim.emit(r, 'payment_intent.payment_failed',
		stripe_sim.payment_intent_json(pi));
	RETURN (402, stripe_sim.error_body((shown::jsonb || jsonb_build_object('payment_intent',
		CASE WHEN r.publishable
		THEN stripe_sim.public_view(stripe_sim.payment_intent_json(pi))
		ELSE stripe_sim.payment_intent_json(pi) END))::json, r.id));
END $$;

-- The buyer has come back from the bank's page.
CREATE FUNCTION stripe_sim.authenticate_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent := stripe_sim.lock_intent(r, p_id, p);
	answer stripe_sim.answer;
BEGIN
	IF pi.status <> 'requires_action' THEN
		PERFORM stripe_sim.unexpected_state(pi, format('There is nothing to authenticate:'
			' this PaymentIntent has a status of %s.', pi.status));
	ELSIF p ->> 'outcome' = 'succeed' THEN
		pi := stripe_sim.pay(r, pi, true);
		RETURN stripe_sim.intent_answer(r, stripe_sim.payment_intent_json(pi), p);
	END IF;
	answer := stripe_sim.fail_intent(r, pi, json_build_object(
		'code', 'payment_intent_authentication_failure',
		'message', 'We are unable to authenticate your payment method. Please choose a'
		' different payment method and try again.', 'type', 'invalid_request_error'));
	RETURN (200, answer.body -> 'error' -> 'payment_intent');
END $$;

CREATE FUNCTION stripe_sim.cancel_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
BEGIN
	PERFORM stripe_sim.check_expand('payment_intent', p);
	pi := stripe_sim.lock_intent(r, p_id, p);
	IF pi.status IN ('succeeded', 'canceled') THEN
		PERFORM stripe_sim.unexpected_state(pi, format('You cannot cancel this PaymentIntent'
			' because it has a status of %s. Only a PaymentIntent with one of the following'
			' statuses may be canceled: requires_payment_method, requires_capture,'
			' requires_reauthorization, requires_confirmation, requires_action, expired,'
			' processing.', pi.status));
	END IF;
	pi.status := 'canceled';
	pi.canceled_at := now();
	pi.cancellation_reason := p ->> 'cancellation_reason';
	pi.amount_capturable := 0;
	pi.next_action := NULL;
	PERFORM stripe_sim.save(pi);
	PERFORM stripe_sim.emit(r, 'payment_intent.canceled', stripe_sim.payment_intent_json(pi));
	RETURN stripe_sim.intent_answer(r, stripe_sim.payment_intent_json(pi), p);
END $$;

-- Takes what is held, or a part of it and lets the rest go.
CREATE FUNCTION stripe_sim.capture_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
	ch stripe_sim.charge;
	taken bigint;
BEGIN
	PERFORM stripe_sim.check_expand('payment_intent', p);
	pi := stripe_sim.lock_intent(r, p_id, p);
	IF pi.status = 'succeeded' THEN
		PERFORM stripe_sim.unexpected_state(pi, 'The remaining amount on this PaymentIntent'
			' could not be captured because the remainder of the authorized amount has been'
			' released.');
	ELSIF pi.status <> 'requires_capture' THEN
		PERFORM stripe_sim.unexpected_state(pi, format('This PaymentIntent could not be'
			' captured because it has a status of %s. Only a PaymentIntent with one of the'
			' following statuses may be captured: requires_capture.', pi.status));
	END IF;
	taken := coalesce((p ->> 'amount_to_capture')::bigint, pi.amount_capturable);
	IF taken < 0 THEN
		PERFORM stripe_sim.invalid(NULL, 'amount_to_capture', 'Invalid non-negative integer');
	ELSIF taken = 0 THEN
		PERFORM stripe_sim.invalid('parameter_invalid_integer', 'amount',
			'This value must be greater than or equal to 1.');
	ELSIF taken > pi.amount_capturable THEN
		PERFORM stripe_sim.refuse('amount_too_large', 'amount_to_capture', format(
			'The provided capture amount (%s) is greater than the capturable amount on the'
			' PaymentIntent (%s).', stripe_sim.money(taken, pi.currency),
			stripe_sim.money(pi.amount_capturable, pi.currency)));
	END IF;
	pi := stripe_sim.apply(pi, p);
	pi.status := 'succeeded';
	pi.amount_capturable := 0;
	pi.amount_received := taken;
	UPDATE stripe_sim.charge
	   SET amount_captured = taken, balance_transaction = 'txn_3' || stripe_sim.random_text(23)
	 WHERE id = pi.latest_charge RETURNING * INTO ch;
	PERFORM stripe_sim.save(pi);
	PERFORM stripe_sim.emit(r, 'charge.captured', stripe_sim.charge_json(ch));
	PERFORM stripe_sim.emit(r, 'payment_intent.succeeded', stripe_sim.payment_intent_json(pi));
	RETURN stripe_sim.intent_answer(r, stripe_sim.payment_intent_json(pi), p);
END $$;

--
-- Refunds.
--

-- The charge that shall be refunded, locked after its intent.
CREATE FUNCTION stripe_sim.lock_charge(r stripe_sim.request, p jsonb)
RETURNS stripe_sim.charge LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
	ch stripe_sim.charge;
	intent text := p ->> 'payment_intent';
BEGIN
	IF p ->> 'charge' IS NULL AND intent IS NULL THEN
		PERFORM stripe_sim.invalid(NULL, NULL, 'One of the following params should be provided'
			' for this request: payment_intent or charge.');
	ELSIF p ->> 'charge' IS NOT NULL THEN
		SELECT c.payment_intent INTO intent FROM stripe_sim.charge c WHERE id = p ->> 'charge';
		IF NOT FOUND THEN
			PERFORM stripe_sim.missing('charge', p ->> 'charge', 'id');
		ELSIF intent IS DISTINCT FROM coalesce(p ->> 'payment_intent', intent) THEN
			PERFORM stripe_sim.refuse(NULL, NULL, format('Charge %s does not belong to'
				' PaymentIntent %s.', p ->> 'charge', p ->> 'payment_intent'));
		END IF;
	ELSIF NOT EXISTS (SELECT FROM stripe_sim.payment_intent WHERE id = intent) THEN
		PERFORM stripe_sim.missing('payment_intent', intent, 'payment_intent');
	END IF;
	pi := stripe_sim.lock_intent(r, intent, '{}');
	SELECT * INTO ch FROM stripe_sim.charge
	 WHERE id = coalesce(p ->> 'charge', pi.latest_charge) FOR NO KEY UPDATE;
	IF ch.status IS DISTINCT FROM 'succeeded' THEN
		PERFORM stripe_sim.refuse(NULL, NULL, format('This PaymentIntent (%s) does not have a'
			' successful charge to refund.', intent));
	ELSIF ch.amount_captured = 0 THEN
		PERFORM stripe_sim.refuse(NULL, NULL, format('This uncaptured Charge was created by a'
			' PaymentIntent (%s). You must cancel the PaymentIntent instead of refunding the'
			' Charge.', intent));
	ELSIF ch.disputed THEN
		PERFORM stripe_sim.refuse('charge_disputed', NULL, format('Charge %s has been charged'
			' back; cannot issue a refund.', ch.id));
	ELSIF ch.amount_refunded = ch.amount_captured THEN
		PERFORM stripe_sim.refuse('charge_already_refunded', NULL, format('Charge %s has'
			' already been refunded.', ch.id));
	END IF;
	RETURN ch;
END $$;

CREATE FUNCTION stripe_sim.create_refund(r stripe_sim.request, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	ch stripe_sim.charge;
	re stripe_sim.refund;
	before json;
	becomes text;
BEGIN
	PERFORM stripe_sim.check_expand('refund', p);
	IF (p ->> 'amount')::bigint < 1 THEN
		PERFORM stripe_sim.invalid('parameter_invalid_integer', 'amount',
			'This value must be greater than or equal to 1.');
	END IF;
	ch := stripe_sim.lock_charge(r, p);
	re.amount := coalesce((p ->> 'amount')::bigint, ch.amount_captured - ch.amount_refunded);
	IF re.amount > ch.amount_captured - ch.amount_refunded THEN
		PERFORM stripe_sim.refuse(NULL, 'amount', format('Refund amount (%s) is greater than'
			' unrefunded amount on charge (%s)', stripe_sim.money(re.amount, ch.currency),
			stripe_sim.money(ch.amount_captured - ch.amount_refunded, ch.currency)));
	END IF;
	SELECT c.refund INTO becomes FROM stripe_sim.payment_method m
	  JOIN stripe_sim.card c ON c.alias = m.card WHERE m.id = ch.payment_method;
	re.seq := nextval('stripe_sim.refund_seq');
	re.id := 're_3' || stripe_sim.random_text(23);
	re.created_at := now();
	re.charge := ch.id;
	re.payment_intent := ch.payment_intent;
	re.currency := ch.currency;
	re.reason := p ->> 'reason';
	re.status := CASE becomes WHEN 'pending' THEN 'pending' ELSE 'succeeded' END;
	re.balance_transaction := 'txn_3' || stripe_sim.random_text(23);
	re.metadata := stripe_sim.merge_metadata('{}', p);
	PERFORM stripe_sim.check_metadata(re.metadata);
	INSERT INTO stripe_sim.refund VALUES (re.*);
	INSERT INTO stripe_sim.later (due_at, what, subject)
	VALUES (now() + interval '1 second', 'finish_refund', re.id);
	before := json_build_object('amount_refunded', ch.amount_refunded,
		'refunded', ch.amount_refunded = ch.amount_captured);
	UPDATE stripe_sim.charge SET amount_refunded = amount_refunded + re.amount
	 WHERE id = ch.id RETURNING * INTO ch;
	PERFORM stripe_sim.emit(r, 'refund.created', stripe_sim.refund_json(re));
	PERFORM stripe_sim.emit(r, 'charge.refunded', stripe_sim.charge_json(ch), before);
	RETURN (200, stripe_sim.expand(stripe_sim.refund_json(re), stripe_sim.paths(p)));
END $$;

CREATE FUNCTION stripe_sim.update_refund(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	re stripe_sim.refund;
BEGIN
	PERFORM stripe_sim.check_expand('refund', p);
	UPDATE stripe_sim.refund SET metadata = stripe_sim.merge_metadata(metadata, p)
	 WHERE id = p_id RETURNING * INTO re;
	IF NOT FOUND THEN
		PERFORM stripe_sim.missing('refund', p_id, 'id');
	END IF;
	PERFORM stripe_sim.check_metadata(re.metadata);
	PERFORM stripe_sim.emit(r, 'refund.updated', stripe_sim.refund_json(re));
	RETURN (200, stripe_sim.expand(stripe_sim.refund_json(re), stripe_sim.paths(p)));
END $$;

-- Any object that has no rule of its own about who may see it.
CREATE FUNCTION stripe_sim.retrieve(p_object text, p_prefix text, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql STABLE AS $$
DECLARE
	object json;
BEGIN
	PERFORM stripe_sim.check_expand(p_object, p);
	IF starts_with(p_id, p_prefix || '_') THEN
		object := stripe_sim.object_json(p_id);
	END IF;
	IF object IS NULL THEN
		PERFORM stripe_sim.missing(replace(p_object, '_', ' '), p_id, 'id');
	END IF;
	RETURN (200, stripe_sim.expand(object, stripe_sim.paths(p)));
END $$;

--
-- Webhook endpoints.
--

CREATE FUNCTION stripe_sim.check_endpoint(p jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	pattern text;
BEGIN
	IF p ->> 'url' !~* '^https?://[^/[:space:]@]+(/[^[:space:]]*)?$' THEN
		PERFORM stripe_sim.invalid('url_invalid', 'url', 'Invalid URL: An explicit scheme'
			' (such as https) must be provided.');
	END IF;
	FOR pattern IN SELECT jsonb_array_elements_text(p -> 'enabled_events') LOOP
		IF pattern !~ '^(\*|[a-z0-9_]+(\.[a-z0-9_]+)*(\.\*)?)$' THEN
			PERFORM stripe_sim.invalid(NULL, 'enabled_events', format(
				'Invalid enabled_events: %s is not the name of an event', pattern));
		END IF;
	END LOOP;
END $$;

CREATE FUNCTION stripe_sim.create_endpoint(r stripe_sim.request, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	made stripe_sim.webhook_endpoint;
BEGIN
	PERFORM stripe_sim.check_endpoint(p);
	LOCK TABLE stripe_sim.webhook_endpoint IN SHARE ROW EXCLUSIVE MODE;
	IF (SELECT count(*) FROM stripe_sim.webhook_endpoint) >= 16 THEN
		PERFORM stripe_sim.refuse(NULL, NULL,
			'You have reached the maximum of 16 test webhook endpoints.');
	END IF;
	INSERT INTO stripe_sim.webhook_endpoint
		(id, url, secret, enabled_events, description, metadata, api_version)
	VALUES ('we_1' || stripe_sim.random_text(23), p ->> 'url',
		'whsec_' || stripe_sim.random_text(32),
		ARRAY(SELECT jsonb_array_elements_text(p -> 'enabled_events')),
		p ->> 'description', stripe_sim.merge_metadata('{}', p), p ->> 'api_version')
	RETURNING * INTO made;
	PERFORM stripe_sim.check_metadata(made.metadata);
	RETURN (200, (SELECT json_object_agg(key, value ORDER BY place) FROM (
		SELECT key, value, row_number() OVER () AS place
		  FROM json_each(stripe_sim.webhook_endpoint_json(made))
		UNION ALL
		SELECT 'secret', to_json(made.secret), 100) members));
END $$;

CREATE FUNCTION stripe_sim.update_endpoint(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	made stripe_sim.webhook_endpoint;
BEGIN
	PERFORM stripe_sim.check_endpoint(p);
	UPDATE stripe_sim.webhook_endpoint SET
		url = coalesce(p ->> 'url', url),
		enabled_events = CASE WHEN p ? 'enabled_events'
			THEN ARRAY(SELECT jsonb_array_elements_text(p -> 'enabled_events'))
			ELSE enabled_events END,
		description = CASE WHEN p ? 'description' THEN p ->> 'description' ELSE description END,
		disabled = coalesce((p ->> 'disabled')::boolean, disabled),
		metadata = stripe_sim.merge_metadata(metadata, p)
	 WHERE id = p_id RETURNING * INTO made;
	IF NOT FOUND THEN
		PERFORM stripe_sim.missing('webhook endpoint', p_id, 'id');
	END IF;
	PERFORM stripe_sim.check_metadata(made.metadata);
	IF made.disabled THEN
		UPDATE stripe_sim.delivery SET due_at = NULL, problem = 'the endpoint was disabled'
		 WHERE endpoint = p_id AND due_at IS NOT NULL;
	END IF;
	RETURN (200, stripe_sim.webhook_endpoint_json(made));
END $$;

CREATE FUNCTION stripe_sim.delete_endpoint(p_id text) RETURNS stripe_sim.answer
LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM stripe_sim.webhook_endpoint WHERE id = p_id;
	IF NOT FOUND THEN
		PERFORM stripe_sim.missing('webhook endpoint', p_id, 'id');
	END IF;
	RETURN (200, json_build_object('id', p_id, 'object', 'webhook_endpoint', 'deleted', true));
END $$;

-- The shop's own endpoint, for whoever starts the simulator beside a shop.
-- It hears of what a shop acts on, as Stripe advises.
CREATE FUNCTION stripe_sim.ensure_endpoint(p_url text, p_secret text) RETURNS text
LANGUAGE sql AS $$
	INSERT INTO stripe_sim.webhook_endpoint (id, url, secret, enabled_events, description)
	VALUES ('we_1shop', p_url, p_secret, '{payment_intent.succeeded,
		payment_intent.payment_failed,payment_intent.processing,payment_intent.canceled,
		payment_intent.requires_action,payment_intent.amount_capturable_updated,
		charge.refunded,refund.*,charge.dispute.*}', 'The shop')
	ON CONFLICT (id) DO UPDATE SET url = excluded.url, secret = excluded.secret,
		disabled = false
	RETURNING id;
$$;

-- Sends an event again, to one endpoint or to each that listens for it.
CREATE FUNCTION stripe_sim.retry_event(p_id text, p jsonb) RETURNS stripe_sim.answer
LANGUAGE plpgsql AS $$
DECLARE
	again stripe_sim.event;
BEGIN
	SELECT * INTO again FROM stripe_sim.event WHERE id = p_id;
	IF NOT FOUND THEN
		PERFORM stripe_sim.missing('event', p_id, 'id');
	ELSIF p ? 'webhook_endpoint' AND NOT EXISTS (SELECT FROM stripe_sim.webhook_endpoint
	    WHERE id = p ->> 'webhook_endpoint' AND NOT disabled) THEN
		PERFORM stripe_sim.missing('webhook endpoint', p ->> 'webhook_endpoint',
			'webhook_endpoint');
	END IF;
	INSERT INTO stripe_sim.delivery (event, endpoint, due_at, position)
	SELECT again.id, w.id, now(), again.seq FROM stripe_sim.webhook_endpoint w
	 WHERE NOT w.disabled AND w.id = coalesce(p ->> 'webhook_endpoint', w.id)
	   AND (p ? 'webhook_endpoint' OR EXISTS (SELECT FROM unnest(w.enabled_events) pattern
		WHERE stripe_sim.type_fits(again.type, pattern)));
	RETURN (200, stripe_sim.event_json(again));
END $$;

--
-- One call of the API.
--

CREATE FUNCTION stripe_sim.perform(r stripe_sim.request, p_operation text, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
BEGIN
	CASE p_operation
	WHEN 'create_intent' THEN RETURN stripe_sim.create_intent(r, p);
	WHEN 'retrieve_intent' THEN RETURN stripe_sim.retrieve_intent(r, p_id, p);
	WHEN 'update_intent' THEN RETURN stripe_sim.update_intent(r, p_id, p);
	WHEN 'confirm_intent' THEN RETURN stripe_sim.confirm_intent(r, p_id, p);
	WHEN 'cancel_intent' THEN RETURN stripe_sim.cancel_intent(r, p_id, p);
	WHEN 'capture_intent' THEN RETURN stripe_sim.capture_intent(r, p_id, p);
	WHEN 'authenticate_intent' THEN RETURN stripe_sim.authenticate_intent(r, p_id, p);
	WHEN 'list_intents' THEN RETURN stripe_sim.list('payment_intent', p, '/v1/payment_intents');
	WHEN 'retrieve_charge' THEN RETURN stripe_sim.retrieve('charge', 'ch', p_id, p);
	WHEN 'list_charges' THEN RETURN stripe_sim.list('charge', p, '/v1/charges',
		'(NOT $2 ? ''payment_intent'' OR payment_intent = $2 ->> ''payment_intent'')');
	WHEN 'create_refund' THEN RETURN stripe_sim.create_refund(r, p);
	WHEN 'retrieve_refund' THEN RETURN stripe_sim.retrieve('refund', 're', p_id, p);
	WHEN 'update_refund' THEN RETURN stripe_sim.update_refund(r, p_id, p);
	WHEN 'list_refunds' THEN RETURN stripe_sim.list('refund', p, '/v1/refunds',
		'(NOT $2 ? ''payment_intent'' OR payment_intent = $2 ->> ''payment_intent'')'
		' AND (NOT $2 ? ''charge'' OR charge = $2 ->> ''charge'')');
	WHEN 'retrieve_event' THEN RETURN stripe_sim.retrieve('event', 'evt', p_id, p);
	WHEN 'list_events' THEN RETURN stripe_sim.list('event', p, '/v1/events',
		'(NOT $2 ? ''type'' OR stripe_sim.type_fits(type, $2 ->> ''type''))'
		' AND (NOT $2 ? ''types'' OR $2 -> ''types'' ? type)'
		' AND (NOT $2 ? ''delivery_success'' OR ($2 ->> ''delivery_success'')::boolean'
		'	<> EXISTS (SELECT FROM stripe_sim.delivery d'
		'		WHERE d.event = o.id AND NOT d.delivered))');
	WHEN 'retry_event' THEN RETURN stripe_sim.retry_event(p_id, p);
	WHEN 'create_endpoint' THEN RETURN stripe_sim.create_endpoint(r, p);
	WHEN 'retrieve_endpoint' THEN
		RETURN stripe_sim.retrieve('webhook_endpoint', 'we', p_id, p);
	WHEN 'update_endpoint' THEN RETURN stripe_sim.update_endpoint(r, p_id, p);
	WHEN 'delete_endpoint' THEN RETURN stripe_sim.delete_endpoint(p_id);
	WHEN 'list_endpoints' THEN
		RETURN stripe_sim.list('webhook_endpoint', p, '/v1/webhook_endpoints');
	END CASE;
END $$;

-- What the C side shall do: answer with status and body after stall_ms, not
-- at all when lost, then send webhooks when there is something due.
CREATE TYPE stripe_sim.outcome AS (status integer, body text, original text,
	replayed boolean, limited text, stall_ms integer, lost boolean, due boolean);

-- Before anything is executed: a limit, or an error of Stripe's own.
CREATE FUNCTION stripe_sim.fail_early(r stripe_sim.request, p_method text, p_path text)
RETURNS stripe_sim.outcome LANGUAGE plpgsql AS $$
DECLARE
	f stripe_sim.fault := stripe_sim.take_fault('{rate_limit,error_before}',
		p_method, p_path);
	made stripe_sim.outcome;
BEGIN
	IF f.kind = 'rate_limit' THEN
		made.status := 429;
		made.limited := coalesce(f.reason, 'global-rate');
		made.body := stripe_sim.error_body(json_build_object('code', 'rate_limit',
			'message', 'Testmode request rate limit exceeded, the rate limits in testmode are'
			' lower than livemode. You can learn more about rate limits here'
			' https://stripe.com/docs/rate-limits.',
			'type', 'invalid_request_error'), r.id);
	ELSIF f.kind = 'error_before' THEN
		made.status := 500;
		made.body := stripe_sim.server_error(r);
	END IF;
	RETURN made;
END $$;

CREATE FUNCTION stripe_sim.server_error(r stripe_sim.request) RETURNS json
LANGUAGE sql STABLE
RETURN stripe_sim.error_body(json_build_object('message', 'Sorry! There was an error while'
	' talking to one of our backends. Support has been notified.',
	'type', 'api_error'), r.id);

-- An answer given before under this key, or why it cannot be given.  The key
-- stays locked until the call has ended.
CREATE FUNCTION stripe_sim.answer_of_key(r stripe_sim.request, p_fingerprint text)
RETURNS stripe_sim.outcome LANGUAGE plpgsql AS $$
DECLARE
	kept stripe_sim.idempotency_key;
	made stripe_sim.outcome;
BEGIN
	IF NOT pg_try_advisory_xact_lock(hashtextextended(r.key, 8420)) THEN
		made.status := 409;
		made.body := stripe_sim.error_body(json_build_object('code', 'idempotency_key_in_use',
			'message', format('There is currently another in-progress request using this'
			' Idempotent Key (that probably means you submitted twice, and the other request'
			' is still going through): %s. Please try again later.', r.key),
			'type', 'invalid_request_error'), r.id);
		RETURN made;
	END IF;
	SELECT * INTO kept FROM stripe_sim.idempotency_key
	 WHERE key = r.key AND created_at > now() - interval '24 hours';
	IF kept.fingerprint <> p_fingerprint THEN
		made.status := 400;
		made.body := stripe_sim.error_body(json_build_object('message', format('Keys for'
			' idempotent requests can only be used with the same parameters they were first'
			' used with. Try using a key other than ''%s'' if you meant to execute a different'
			' request.', r.key), 'type', 'idempotency_error'), r.id);
	ELSIF FOUND THEN
		made.status := kept.status;
		made.body := kept.body;
		made.original := kept.request;
		made.replayed := true;
	END IF;
	RETURN made;
END $$;

CREATE FUNCTION stripe_sim.keep_answer(r stripe_sim.request, p_fingerprint text,
	p_outcome stripe_sim.outcome) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO stripe_sim.idempotency_key (key, fingerprint, request, status, body)
	VALUES (r.key, p_fingerprint, r.id, p_outcome.status, p_outcome.body)
	ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint,
		request = excluded.request, status = excluded.status, body = excluded.body,
		created_at = now();
END $$;

CREATE FUNCTION stripe_sim.call(p_operation text, p_id text, p jsonb,
	p_method text, p_path text, r_id text, r_key text, p_fingerprint text,
	p_publishable boolean, p_origin text)
RETURNS stripe_sim.outcome LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	r stripe_sim.request := (r_id, r_key, p_publishable, p_origin);
	faulty boolean := EXISTS (SELECT FROM stripe_sim.fault);
	f stripe_sim.fault;
	answer stripe_sim.answer;
	made stripe_sim.outcome;
	refusal text;
	executed boolean := true;
BEGIN
	IF faulty THEN
		made := stripe_sim.fail_early(r, p_method, p_path);
	END IF;
	IF made.status IS NULL AND r.key IS NOT NULL THEN
		made := stripe_sim.answer_of_key(r, p_fingerprint);
	END IF;
	IF made.status IS NULL THEN
		IF faulty THEN
			f := stripe_sim.take_fault('{delay}', p_method, p_path);
			PERFORM pg_sleep(f.ms / 1000.0);
		END IF;
		BEGIN
			answer := stripe_sim.perform(r, p_operation, p_id, p);
			made.status := answer.status;
			made.body := answer.body;
		EXCEPTION WHEN SQLSTATE 'SS000' OR SQLSTATE 'SS001' THEN
			GET STACKED DIAGNOSTICS refusal = PG_EXCEPTION_DETAIL;
			made.status := SQLERRM::integer;
			made.body := stripe_sim.error_body(refusal::json, r.id);
			executed := SQLSTATE = 'SS001';
		END;
		IF faulty AND executed THEN
			f := stripe_sim.take_fault('{error_after}', p_method, p_path);
			IF f.id IS NOT NULL THEN
				made.status := 500;
				made.body := stripe_sim.server_error(r);
			END IF;
		END IF;
		IF r.key IS NOT NULL AND executed THEN
			PERFORM stripe_sim.keep_answer(r, p_fingerprint, made);
		END IF;
		made.original := r.id;
		made.due := EXISTS (SELECT FROM stripe_sim.delivery WHERE due_at <= now());
	END IF;
	IF faulty THEN
		f := stripe_sim.take_fault('{stall,drop}', p_method, p_path);
		made.stall_ms := f.ms;
		made.lost := f.kind = 'drop';
	END IF;
	RETURN made;
END $$;

--
-- Webhooks on their way.
--

-- The next endpoint with something due, leased for p_lease_s seconds, and what
-- to send to it.  Those that hang come last, and only for a sender that has
-- nothing better to do than to wait.
CREATE FUNCTION stripe_sim.claim_deliveries(p_most integer, p_lease_s integer,
	p_may_wait boolean)
RETURNS TABLE (delivery bigint, endpoint text, url text, secret text, body text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	claimed stripe_sim.webhook_endpoint;
BEGIN
	SELECT * INTO claimed FROM stripe_sim.webhook_endpoint w
	 WHERE NOT w.disabled AND w.leased_until < now() AND (p_may_wait OR NOT w.hangs)
	   AND EXISTS (SELECT FROM stripe_sim.delivery d
		WHERE d.endpoint = w.id AND d.due_at <= now())
	 ORDER BY w.hangs, w.leased_until LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	UPDATE stripe_sim.webhook_endpoint w
	   SET leased_until = now() + make_interval(secs => p_lease_s) WHERE w.id = claimed.id;
	RETURN QUERY
		SELECT d.id, claimed.id, claimed.url, claimed.secret, stripe_sim.event_json(e)::text
		  FROM stripe_sim.delivery d JOIN stripe_sim.event e ON e.id = d.event
		 WHERE d.endpoint = claimed.id AND d.due_at <= now()
		 ORDER BY d.due_at, d.position, d.id LIMIT p_most;
END $$;

-- What came of them: [{"id", "status", "problem"}], status 0 where there was no
-- answer.  The wait doubles with each try, up to an hour, until three days have
-- passed since the event.
CREATE FUNCTION stripe_sim.finish_deliveries(p_endpoint text, p_results json, p_retry_ms integer)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
BEGIN
	UPDATE stripe_sim.delivery d
	   SET attempts = d.attempts + 1, http_status = nullif(t.status, 0),
	       problem = t.problem, delivered = t.status BETWEEN 200 AND 299,
	       due_at = CASE WHEN t.status NOT BETWEEN 200 AND 299
			AND e.created_at > now() - interval '3 days' THEN now() + least(
				make_interval(secs => p_retry_ms / 1000.0 * 2 ^ least(d.attempts, 20)),
				interval '1 hour') END
	  FROM json_to_recordset(p_results) t (id bigint, status integer, problem text),
	       stripe_sim.event e
	 WHERE d.id = t.id AND d.due_at IS NOT NULL AND e.id = d.event;
	UPDATE stripe_sim.webhook_endpoint
	   SET leased_until = '-infinity', hangs = (p_results -> -1 ->> 'status')::integer = 0
	 WHERE id = p_endpoint;
END $$;

-- Milliseconds until something is due; null when nothing is.
CREATE FUNCTION stripe_sim.next_due_ms() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT CASE WHEN min(due_at) IS NOT NULL THEN
		greatest(0, ceil(extract(epoch FROM min(due_at) - clock_timestamp()) * 1000)) END::bigint
	  FROM (SELECT min(due_at) AS due_at FROM stripe_sim.later
		UNION ALL
		SELECT min(greatest(w.leased_until, (SELECT min(d.due_at) FROM stripe_sim.delivery d
			WHERE d.endpoint = w.id AND d.due_at IS NOT NULL)))
		  FROM stripe_sim.webhook_endpoint w
		 WHERE EXISTS (SELECT FROM stripe_sim.delivery d
			WHERE d.endpoint = w.id AND d.due_at IS NOT NULL)) due;
$$;

-- What Stripe does by itself: a charge's money arrives, a refund's reference
-- does, and old things are forgotten.
CREATE FUNCTION stripe_sim.tick() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	item stripe_sim.later;
BEGIN
	FOR item IN
		DELETE FROM stripe_sim.later WHERE id = ANY (ARRAY(
			SELECT id FROM stripe_sim.later WHERE due_at <= now()
			 ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED))
		RETURNING *
	LOOP
		CASE item.what
		WHEN 'settle_charge' THEN PERFORM stripe_sim.settle_charge(item.subject);
		WHEN 'finish_refund' THEN PERFORM stripe_sim.finish_refund(item.subject);
		END CASE;
	END LOOP;
	DELETE FROM stripe_sim.idempotency_key WHERE key = ANY (ARRAY(
		SELECT key FROM stripe_sim.idempotency_key
		 WHERE created_at < now() - interval '25 hours' LIMIT 500));
	DELETE FROM stripe_sim.event WHERE id = ANY (ARRAY(
		SELECT id FROM stripe_sim.event
		 WHERE created_at < now() - interval '30 days' LIMIT 500));
END $$;

CREATE FUNCTION stripe_sim.settle_charge(p_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	ch stripe_sim.charge;
BEGIN
	UPDATE stripe_sim.charge SET balance_transaction = 'txn_3' || stripe_sim.random_text(23)
	 WHERE id = p_id AND balance_transaction IS NULL RETURNING * INTO ch;
	IF FOUND THEN
		PERFORM stripe_sim.emit(NULL, 'charge.updated', stripe_sim.charge_json(ch),
			'{"balance_transaction":null}');
	END IF;
END $$;

-- A refund to pm_card_refundFail comes back, and with it the charge's money.
CREATE FUNCTION stripe_sim.finish_refund(p_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	re stripe_sim.refund;
	becomes text;
BEGIN
	SELECT c.refund INTO becomes FROM stripe_sim.refund o
	  JOIN stripe_sim.charge h ON h.id = o.charge
	  JOIN stripe_sim.payment_method m ON m.id = h.payment_method
	  JOIN stripe_sim.card c ON c.alias = m.card WHERE o.id = p_id;
	UPDATE stripe_sim.refund
	   SET status = CASE becomes WHEN 'failed' THEN 'failed' ELSE 'succeeded' END,
	       reference = CASE WHEN becomes <> 'failed'
			THEN translate(substr(md5(id), 1, 16), 'abcdef', '012345') END
	 WHERE id = p_id RETURNING * INTO re;
	IF re.status = 'failed' THEN
		UPDATE stripe_sim.charge SET amount_refunded = amount_refunded - re.amount
		 WHERE id = re.charge;
		PERFORM stripe_sim.emit(NULL, 'refund.failed', stripe_sim.refund_json(re));
	END IF;
	PERFORM stripe_sim.emit(NULL, 'refund.updated', stripe_sim.refund_json(re));
	PERFORM stripe_sim.emit(NULL, 'charge.refund.updated', stripe_sim.refund_json(re));
END $$;

--
-- The simulator's own controls.
--

CREATE FUNCTION stripe_sim.fault_json(f stripe_sim.fault) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', f.id, 'kind', f.kind, 'method', f.method, 'path', f.path,
	'event_type', f.event_type, 'endpoint', f.endpoint, 'ms', f.ms, 'reason', f.reason,
	'remaining', f.remaining);

CREATE FUNCTION stripe_sim.faults() RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT coalesce(json_agg(stripe_sim.fault_json(f) ORDER BY id), '[]')
	  FROM stripe_sim.fault f;
$$;

CREATE FUNCTION stripe_sim.set_fault(p_kind text, p_method text, p_path text,
	p_event_type text, p_endpoint text, p_ms integer, p_reason text, p_times integer)
RETURNS json LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	INSERT INTO stripe_sim.fault AS f
		(kind, method, path, event_type, endpoint, ms, reason, remaining)
	VALUES (p_kind, p_method, p_path, p_event_type, p_endpoint, p_ms, p_reason,
		nullif(p_times, 0))
	RETURNING stripe_sim.fault_json(f);
$$;

-- One of them, or all.
CREATE FUNCTION stripe_sim.clear_faults(p_id bigint DEFAULT NULL) RETURNS json
LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	DELETE FROM stripe_sim.fault WHERE id = coalesce(p_id, id);
	SELECT stripe_sim.faults();
$$;

-- What the bank's page shows, and where it sends the buyer back to; no row
-- when there is nothing to authenticate.
CREATE FUNCTION stripe_sim.challenge(p_intent text)
RETURNS TABLE (amount text, currency text, return_url text, client_secret text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT stripe_sim.money(i.amount, i.currency), upper(i.currency), i.return_url,
	       i.client_secret
	  FROM stripe_sim.payment_intent i
	 WHERE i.id = p_intent AND i.status = 'requires_action';
$$;

GRANT EXECUTE ON FUNCTION
	stripe_sim.call(text, text, jsonb, text, text, text, text, text, boolean, text),
	stripe_sim.claim_deliveries(integer, integer, boolean),
	stripe_sim.finish_deliveries(text, json, integer),
	stripe_sim.next_due_ms(), stripe_sim.tick(), stripe_sim.faults(),
	stripe_sim.set_fault(text, text, text, text, text, integer, text, integer),
	stripe_sim.clear_faults(bigint), stripe_sim.challenge(text)
	TO souk_stripe_sim;
