-- The rest of the Stripe simulator: disputes, bank debits that take their time,
-- refunds that can be cancelled or fail, secrets that are rolled, and what the
-- control page shows and does.
--
-- Where a transition of 090 only gains something before or after it, it is
-- renamed and called by one that has its name.

--
-- Currencies.  Those of three digits, and without those for which Stripe has
-- rules of its own (HUF, ISK, TWD, UGX): better refused than charged a hundredth.
--

CREATE OR REPLACE FUNCTION stripe_sim.digits(currency text) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN currency IN ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga',
	'pyg', 'rwf', 'ugx', 'vnd', 'vuv', 'xaf', 'xof', 'xpf') THEN 0
	WHEN currency IN ('bhd', 'jod', 'kwd', 'omr', 'tnd') THEN 3 ELSE 2 END;

CREATE OR REPLACE FUNCTION stripe_sim.money(amount bigint, currency text) RETURNS text
LANGUAGE sql IMMUTABLE
RETURN CASE currency WHEN 'usd' THEN '$' WHEN 'eur' THEN '€' WHEN 'gbp' THEN '£'
	WHEN 'jpy' THEN '¥' ELSE '' END || CASE stripe_sim.digits(currency)
	WHEN 0 THEN amount::text
	WHEN 3 THEN to_char(amount / 1000.0, 'FM999,999,990.000')
	ELSE to_char(amount / 100.0, 'FM999,999,990.00') END;

CREATE OR REPLACE FUNCTION stripe_sim.currencies() RETURNS text[]
LANGUAGE sql IMMUTABLE
RETURN string_to_array('usd,aed,afn,all,amd,ang,aoa,ars,aud,awg,azn,bam,bbd,bdt,bhd,bif,'
	'bmd,bnd,bob,brl,bsd,bwp,byn,bzd,cad,cdf,chf,clp,cny,cop,crc,cve,czk,djf,dkk,'
	'dop,dzd,egp,etb,eur,fjd,fkp,gbp,gel,gip,gmd,gnf,gtq,gyd,hkd,hnl,htg,idr,'
	'ils,inr,jmd,jod,jpy,kes,kgs,khr,kmf,krw,kwd,kyd,kzt,lak,lbp,lkr,lrd,lsl,mad,mdl,'
	'mga,mkd,mmk,mnt,mop,mur,mvr,mwk,mxn,myr,mzn,nad,ngn,nio,nok,npr,nzd,omr,pab,pen,'
	'pgk,php,pkr,pln,pyg,qar,ron,rsd,rub,rwf,sar,sbd,scr,sek,sgd,shp,sle,sos,srd,'
	'std,szl,thb,tjs,tnd,top,try,ttd,tzs,uah,uyu,uzs,vnd,vuv,wst,xaf,xcd,xof,'
	'xpf,yer,zar,zmw', ',');

--
-- What there is besides.
--

-- settles: a bank debit is known to have worked, or not, only later.  dispute:
-- the reason its holder gives for wanting the money back, at once.
ALTER TABLE stripe_sim.card
	ADD kind text NOT NULL DEFAULT 'card' CHECK (kind IN ('card', 'sepa_debit')),
	ADD settles text NOT NULL DEFAULT 'at once'
	    CHECK (settles IN ('at once', 'later', 'never')),
	ADD dispute text,
	ADD inquiry boolean NOT NULL DEFAULT false;

INSERT INTO stripe_sim.card (alias, brand, last4, dispute, inquiry) VALUES
	('pm_card_createDispute', 'visa', '0259', 'fraudulent', false),
	('pm_card_createDisputeInquiry', 'visa', '1976', 'fraudulent', true),
	('pm_card_createDisputeProductNotReceived', 'visa', '2685', 'product_not_received', false),
	('pm_card_bypassPending', 'visa', '0077', NULL, false);

INSERT INTO stripe_sim.card (alias, brand, last4, kind, settles, code, message, dispute)
SELECT iban, 'sepa_debit', right(iban, 4), 'sepa_debit', settles, code, message, dispute
  FROM (VALUES
	('AT611904300234573201', 'later', NULL, NULL, NULL),
	('AT321904300235473204', 'later', NULL, NULL, NULL),
	('AT861904300235473202', 'never', 'insufficient_funds',
		'The account has insufficient funds to cover this payment.', NULL),
	('AT051904300235473205', 'never', 'insufficient_funds',
		'The account has insufficient funds to cover this payment.', NULL),
	('AT591904300235473203', 'later', NULL, NULL, 'debit_not_authorized'))
	accounts (iban, settles, code, message, dispute);

-- For ever: only one of a charge.  withdrawal and reinstatement are balance
-- transactions: the money has left the account, and come back.
CREATE SEQUENCE stripe_sim.dispute_seq;
CREATE TABLE stripe_sim.dispute (
	seq        bigint NOT NULL UNIQUE,
	id         text PRIMARY KEY,
	created_at timestamptz NOT NULL,
	charge     text NOT NULL UNIQUE REFERENCES stripe_sim.charge,
	payment_intent text NOT NULL REFERENCES stripe_sim.payment_intent,
	amount     bigint NOT NULL CHECK (amount > 0),
	currency   text NOT NULL,
	reason     text NOT NULL,
	status     text NOT NULL CHECK (status IN ('warning_needs_response',
	           'warning_under_review', 'warning_closed', 'needs_response', 'under_review',
	           'won', 'lost')),
	due_by     timestamptz NOT NULL,
	evidence   jsonb NOT NULL DEFAULT '{}',
	submissions integer NOT NULL DEFAULT 0,
	metadata   jsonb NOT NULL DEFAULT '{}',
	withdrawal text,
	withdrawn_at timestamptz,
	reinstatement text,
	reinstated_at timestamptz,
	CHECK ((withdrawal IS NULL) = (status LIKE 'warning%')),
	CHECK ((reinstatement IS NOT NULL) = (status = 'won'))
);
ALTER SEQUENCE stripe_sim.dispute_seq OWNED BY stripe_sim.dispute.seq;
CREATE INDEX dispute_intent ON stripe_sim.dispute (payment_intent);

INSERT INTO stripe_sim.expandable VALUES
	('dispute', 'charge', 'charge'),
	('dispute', 'payment_intent', 'payment_intent'),
	('refund', 'failure_balance_transaction', 'balance_transaction'),
	('charge', 'failure_balance_transaction', NULL);

ALTER TABLE stripe_sim.refund
	ADD failure_reason text,
	ADD failure_balance_transaction text,
	ADD failed_at timestamptz,
	DROP CONSTRAINT refund_status_check,
	ADD CHECK (status IN ('pending', 'succeeded', 'failed', 'canceled'));

-- While a secret is being rolled, both sign.
ALTER TABLE stripe_sim.webhook_endpoint
	ADD old_secret text,
	ADD old_secret_until timestamptz;

ALTER TABLE stripe_sim.delivery ADD last_at timestamptz;

ALTER TABLE stripe_sim.later
	DROP CONSTRAINT later_what_check,
	ADD CHECK (what IN ('settle_charge', 'finish_refund', 'finish_payment'));

ALTER TABLE stripe_sim.fault
	DROP CONSTRAINT fault_kind_check,
	ADD CHECK (kind IN ('rate_limit', 'error_before', 'delay', 'error_after', 'stall', 'drop',
		'webhook_delay', 'webhook_duplicate', 'webhook_reorder', 'webhook_drop',
		'event_twice', 'settle_delay'));

--
-- Objects as Stripe writes them.
--

ALTER FUNCTION stripe_sim.payment_method_json(stripe_sim.payment_method)
	RENAME TO card_json;
CREATE FUNCTION stripe_sim.payment_method_json(p stripe_sim.payment_method) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
	made json := stripe_sim.card_json(p);
BEGIN
	IF NOT EXISTS (SELECT FROM stripe_sim.card WHERE alias = p.card AND kind = 'card') THEN
		made := (made::jsonb - 'card' || jsonb_build_object('type', 'sepa_debit',
			'sepa_debit', stripe_sim.account_json(p.card)))::json;
	END IF;
	RETURN made;
END $$;

CREATE FUNCTION stripe_sim.account_json(p_iban text) RETURNS json
LANGUAGE sql IMMUTABLE
RETURN json_build_object('bank_code', substr(p_iban, 5, 5), 'branch_code', '',
	'country', left(p_iban, 2), 'fingerprint', substr(md5(p_iban), 1, 16),
	'last4', right(p_iban, 4));

-- Disputed is what has ever been disputed, however that has ended.
ALTER FUNCTION stripe_sim.charge_json(stripe_sim.charge) RENAME TO card_charge_json;
CREATE FUNCTION stripe_sim.charge_json(p stripe_sim.charge) RETURNS json
LANGUAGE plpgsql STABLE AS $$
DECLARE
	made json := stripe_sim.card_charge_json(p);
	account text;
BEGIN
	SELECT c.alias INTO account FROM stripe_sim.payment_method m
	  JOIN stripe_sim.card c ON c.alias = m.card
	 WHERE m.id = p.payment_method AND c.kind = 'sepa_debit';
	IF FOUND THEN
		made := (made::jsonb || jsonb_build_object('payment_method_details',
			jsonb_build_object('type', 'sepa_debit', 'sepa_debit',
			stripe_sim.account_json(account)::jsonb || '{"mandate": null}')))::json;
	END IF;
	RETURN made;
END $$;

ALTER FUNCTION stripe_sim.refund_json(stripe_sim.refund) RENAME TO good_refund_json;
CREATE FUNCTION stripe_sim.refund_json(p stripe_sim.refund) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	IF p.failure_reason IS NULL THEN
		RETURN stripe_sim.good_refund_json(p);
	END IF;
	RETURN (stripe_sim.good_refund_json(p)::jsonb || jsonb_build_object(
		'failure_balance_transaction', p.failure_balance_transaction,
		'failure_reason', p.failure_reason))::json;
END $$;

CREATE FUNCTION stripe_sim.evidence_files() RETURNS text[] LANGUAGE sql IMMUTABLE
RETURN '{cancellation_policy,customer_communication,customer_signature,
	duplicate_charge_documentation,receipt,refund_policy,service_documentation,
	shipping_documentation,uncategorized_file}'::text[];

CREATE FUNCTION stripe_sim.evidence_texts() RETURNS text[] LANGUAGE sql IMMUTABLE
RETURN '{access_activity_log,billing_address,cancellation_policy_disclosure,
	cancellation_rebuttal,customer_email_address,customer_name,customer_purchase_ip,
	duplicate_charge_explanation,duplicate_charge_id,product_description,
	refund_policy_disclosure,refund_refusal_explanation,service_date,shipping_address,
	shipping_carrier,shipping_date,shipping_tracking_number,uncategorized_text}'::text[];

-- What moved, with the fee of a lost or undecided dispute.
CREATE FUNCTION stripe_sim.dispute_transaction_json(p stripe_sim.dispute, p_id text) RETURNS json
LANGUAGE sql STABLE
RETURN (SELECT (stripe_sim.balance_transaction_json(p_id, moved, p.currency, p.id, 'adjustment',
		CASE WHEN back THEN p.reinstated_at ELSE p.withdrawn_at END)::jsonb
	|| jsonb_build_object('fee', fee, 'net', moved - fee, 'fee_details',
		CASE fee WHEN 0 THEN '[]' ELSE jsonb_build_array(jsonb_build_object('amount', fee,
			'application', NULL, 'currency', p.currency, 'description', 'Dispute fee',
			'type', 'stripe_fee')) END,
		'description', CASE WHEN back THEN 'Chargeback reversal for ' ELSE
			'Chargeback withdrawal for ' END || p.charge,
		'reporting_category', CASE WHEN back THEN 'dispute_reversal' ELSE 'dispute' END))::json
	  FROM (SELECT p_id = p.reinstatement AS back) which,
	       LATERAL (SELECT CASE WHEN back THEN p.amount ELSE -p.amount END AS moved,
			CASE WHEN back THEN 0 ELSE 1500 END AS fee) sums);

CREATE FUNCTION stripe_sim.dispute_json(p stripe_sim.dispute) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN (SELECT json_build_object('id', p.id, 'object', 'dispute', 'amount', p.amount,
	'balance_transactions', (
		SELECT coalesce(json_agg(stripe_sim.dispute_transaction_json(p, txn)), '[]')
		  FROM unnest(ARRAY[p.withdrawal, p.reinstatement]) txn WHERE txn IS NOT NULL),
	'charge', p.charge, 'created', stripe_sim.epoch(p.created_at), 'currency', p.currency,
	'enhanced_eligibility_types', '[]'::json,
	'evidence', (
		SELECT json_object_agg(key, CASE WHEN key = 'enhanced_evidence' THEN '{}'::jsonb
			ELSE p.evidence -> key END ORDER BY key)
		  FROM unnest(stripe_sim.evidence_files() || stripe_sim.evidence_texts()
			|| '{enhanced_evidence}'::text[]) key),
	'evidence_details', json_build_object('due_by', stripe_sim.epoch(p.due_by),
		'enhanced_eligibility', '{}'::json, 'has_evidence', p.evidence <> '{}',
		'past_due', p.due_by < now() AND p.submissions = 0,
		'submission_count', p.submissions),
	'is_charge_refundable', p.withdrawal IS NULL OR p.status = 'won',
	'livemode', false, 'metadata', p.metadata, 'payment_intent', p.payment_intent,
	'payment_method_details', CASE c.kind WHEN 'card' THEN json_build_object('card',
		json_build_object('brand', c.brand,
			'case_type', CASE WHEN p.withdrawal IS NULL THEN 'inquiry' ELSE 'chargeback' END,
			'network_reason_code', CASE p.reason WHEN 'fraudulent' THEN '10.4'
				WHEN 'product_not_received' THEN '13.1' ELSE '13.3' END),
		'type', 'card')
		ELSE json_build_object('type', c.kind) END,
	'reason', p.reason, 'status', p.status)
	  FROM stripe_sim.charge h JOIN stripe_sim.payment_method m ON m.id = h.payment_method
	  JOIN stripe_sim.card c ON c.alias = m.card WHERE h.id = p.charge);
END $$;

ALTER FUNCTION stripe_sim.object_json(text) RENAME TO first_object_json;
CREATE FUNCTION stripe_sim.object_json(p_id text) RETURNS json
LANGUAGE plpgsql STABLE AS $$
BEGIN
	RETURN CASE split_part(p_id, '_', 1)
	WHEN 'du' THEN (SELECT stripe_sim.dispute_json(o) FROM stripe_sim.dispute o WHERE id = p_id)
	WHEN 'txn' THEN coalesce(stripe_sim.first_object_json(p_id),
		(SELECT stripe_sim.dispute_transaction_json(o, p_id) FROM stripe_sim.dispute o
		  WHERE p_id IN (withdrawal, reinstatement)),
		(SELECT (stripe_sim.balance_transaction_json(p_id, o.amount, o.currency, o.id,
				'refund_failure', o.failed_at)::jsonb
			|| jsonb_build_object('fee', 0, 'net', o.amount, 'fee_details', '[]'::jsonb))::json
		   FROM stripe_sim.refund o WHERE failure_balance_transaction = p_id))
	ELSE stripe_sim.first_object_json(p_id) END;
END $$;

--
-- Faults of events, and of what comes later.  Their path is that of the payment
-- intent that it is about.
--

CREATE FUNCTION stripe_sim.intent_path(p_object json) RETURNS text LANGUAGE sql IMMUTABLE
RETURN '/v1/payment_intents/' || coalesce(p_object ->> 'payment_intent', p_object ->> 'id');

-- Two event objects for one change: what a shop must tell by the object's id.
ALTER FUNCTION stripe_sim.emit(stripe_sim.request, text, json, json) RENAME TO emit_once;
CREATE FUNCTION stripe_sim.emit(r stripe_sim.request, p_type text, p_object json,
	p_previous json DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	f stripe_sim.fault;
BEGIN
	PERFORM stripe_sim.emit_once(r, p_type, p_object, p_previous);
	IF EXISTS (SELECT FROM stripe_sim.fault WHERE kind = 'event_twice') THEN
		f := stripe_sim.take_fault('{event_twice}', NULL, stripe_sim.intent_path(p_object),
			p_type);
		IF f.id IS NOT NULL THEN
			PERFORM stripe_sim.emit_once(r, p_type, p_object, p_previous);
		END IF;
	END IF;
END $$;

CREATE FUNCTION stripe_sim.delay_later() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	f stripe_sim.fault;
BEGIN
	IF EXISTS (SELECT FROM stripe_sim.fault WHERE kind = 'settle_delay') THEN
		f := stripe_sim.take_fault('{settle_delay}', NULL,
			stripe_sim.intent_path(stripe_sim.object_json(NEW.subject)));
		UPDATE stripe_sim.later SET due_at = now() + make_interval(secs => f.ms / 1000.0)
		 WHERE id = NEW.id AND f.id IS NOT NULL;
	END IF;
	RETURN NULL;
END $$;

-- At the commit: the charge that a row names is inserted after it.
CREATE CONSTRAINT TRIGGER delay_later AFTER INSERT ON stripe_sim.later
	DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION stripe_sim.delay_later();

--
-- Disputes.
--

CREATE FUNCTION stripe_sim.open_dispute(p_charge text, p_reason text, p_inquiry boolean)
RETURNS stripe_sim.dispute LANGUAGE plpgsql AS $$
DECLARE
	ch stripe_sim.charge;
	d stripe_sim.dispute;
BEGIN
	UPDATE stripe_sim.charge SET disputed = true
	 WHERE id = p_charge AND amount_captured > amount_refunded AND NOT disputed
	RETURNING * INTO ch;
	IF NOT FOUND THEN
		PERFORM stripe_sim.refuse(NULL, NULL, format('Charge %s has no money left that could'
			' be disputed, or has been disputed already.', p_charge));
	END IF;
	d.seq := nextval('stripe_sim.dispute_seq');
	d.id := 'du_1' || stripe_sim.random_text(23);
	d.created_at := now();
	d.charge := ch.id;
	d.payment_intent := ch.payment_intent;
	d.amount := ch.amount_captured - ch.amount_refunded;
	d.currency := ch.currency;
	d.reason := p_reason;
	d.status := CASE WHEN p_inquiry THEN 'warning_needs_response' ELSE 'needs_response' END;
	d.due_by := date_trunc('day', now()) + interval '8 days' - interval '1 second';
	d.evidence := '{}';
	d.submissions := 0;
	d.metadata := '{}';
	IF NOT p_inquiry THEN
		d.withdrawal := 'txn_1' || stripe_sim.random_text(23);
		d.withdrawn_at := now();
	END IF;
	INSERT INTO stripe_sim.dispute VALUES (d.*);
	PERFORM stripe_sim.emit(NULL, 'charge.dispute.created', stripe_sim.dispute_json(d));
	IF NOT p_inquiry THEN
		PERFORM stripe_sim.emit(NULL, 'charge.dispute.funds_withdrawn',
			stripe_sim.dispute_json(d));
	END IF;
	RETURN d;
END $$;

-- What the holder of such a card does as soon as the money is taken.
CREATE FUNCTION stripe_sim.dispute_by_card(p_charge text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM stripe_sim.open_dispute(h.id, c.dispute, c.inquiry)
	   FROM stripe_sim.charge h JOIN stripe_sim.payment_method m ON m.id = h.payment_method
	   JOIN stripe_sim.card c ON c.alias = m.card
	  WHERE h.id = p_charge AND h.amount_captured > 0 AND c.dispute IS NOT NULL
	    AND NOT h.authenticated;
END $$;

-- Locked, like all that moves a charge's money, after the intent.
CREATE FUNCTION stripe_sim.lock_dispute(r stripe_sim.request, p_id text)
RETURNS stripe_sim.dispute LANGUAGE plpgsql AS $$
DECLARE
	d stripe_sim.dispute;
BEGIN
	SELECT * INTO d FROM stripe_sim.dispute WHERE id = p_id;
	IF NOT FOUND THEN
		PERFORM stripe_sim.missing('dispute', p_id, 'id');
	END IF;
	PERFORM stripe_sim.lock_intent(r, d.payment_intent, '{}');
	SELECT * INTO d FROM stripe_sim.dispute WHERE id = p_id FOR NO KEY UPDATE;
	RETURN d;
END $$;

CREATE FUNCTION stripe_sim.save(d stripe_sim.dispute) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	UPDATE stripe_sim.dispute SET status = d.status, evidence = d.evidence,
		submissions = d.submissions, metadata = d.metadata,
		withdrawal = d.withdrawal, withdrawn_at = d.withdrawn_at,
		reinstatement = d.reinstatement, reinstated_at = d.reinstated_at
	 WHERE id = d.id;
END $$;

-- The end of it: an inquiry is closed, a chargeback won or lost.
CREATE FUNCTION stripe_sim.end_dispute(d stripe_sim.dispute, p_won boolean)
RETURNS stripe_sim.dispute LANGUAGE plpgsql AS $$
BEGIN
	IF d.status IN ('warning_closed', 'won', 'lost') THEN
		PERFORM stripe_sim.refuse(NULL, NULL, 'This dispute is already closed.');
	ELSIF d.status LIKE 'warning%' THEN
		d.status := 'warning_closed';
	ELSIF p_won THEN
		d.status := 'won';
		d.reinstatement := 'txn_1' || stripe_sim.random_text(23);
		d.reinstated_at := now();
	ELSE
		d.status := 'lost';
	END IF;
	PERFORM stripe_sim.save(d);
	IF d.status = 'won' THEN
		PERFORM stripe_sim.emit(NULL, 'charge.dispute.funds_reinstated',
			stripe_sim.dispute_json(d));
	END IF;
	PERFORM stripe_sim.emit(NULL, 'charge.dispute.closed', stripe_sim.dispute_json(d));
	RETURN d;
END $$;

-- The bank was only asking, and now takes the money.
CREATE FUNCTION stripe_sim.escalate(d stripe_sim.dispute) RETURNS stripe_sim.dispute
LANGUAGE plpgsql AS $$
BEGIN
	d.status := 'needs_response';
	d.submissions := 0;
	d.withdrawal := 'txn_1' || stripe_sim.random_text(23);
	d.withdrawn_at := now();
	PERFORM stripe_sim.save(d);
	PERFORM stripe_sim.emit(NULL, 'charge.dispute.updated', stripe_sim.dispute_json(d),
		'{"status": "warning_under_review"}');
	PERFORM stripe_sim.emit(NULL, 'charge.dispute.funds_withdrawn', stripe_sim.dispute_json(d));
	RETURN d;
END $$;

CREATE FUNCTION stripe_sim.merge_evidence(old jsonb, p jsonb) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
	name text;
	made jsonb := old;
BEGIN
	FOREACH name IN ARRAY stripe_sim.evidence_files() || stripe_sim.evidence_texts() LOOP
		CONTINUE WHEN NOT p ? format('evidence[%s]', name);
		IF p ->> format('evidence[%s]', name) IS NULL THEN
			made := made - name;
		ELSIF name = ANY (stripe_sim.evidence_files()) THEN
			PERFORM stripe_sim.missing('file upload', p ->> format('evidence[%s]', name),
				format('evidence[%s]', name), 400);
		ELSE
			made := made || jsonb_build_object(name, p -> format('evidence[%s]', name));
		END IF;
	END LOOP;
	IF length(made::text) > 150000 THEN
		PERFORM stripe_sim.invalid(NULL, 'evidence',
			'The combined character count of all evidence is limited to 150,000.');
	END IF;
	RETURN made;
END $$;

-- Evidence is handed in as it is given, unless submit=false keeps it as a draft.
-- uncategorized_text may say how it ends, as Stripe's test mode has it.
CREATE FUNCTION stripe_sim.update_dispute(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	d stripe_sim.dispute;
	before stripe_sim.dispute;
	given boolean := EXISTS (SELECT FROM jsonb_object_keys(p) k WHERE k LIKE 'evidence%');
	submitted boolean := coalesce((p ->> 'submit')::boolean, given);
	said text;
BEGIN
	PERFORM stripe_sim.check_expand('dispute', p);
	d := stripe_sim.lock_dispute(r, p_id);
	before := d;
	IF given OR submitted THEN
		IF d.status IN ('warning_closed', 'won', 'lost') THEN
			PERFORM stripe_sim.refuse(NULL, NULL, 'This dispute is already closed.');
		ELSIF d.submissions > 0 THEN
			PERFORM stripe_sim.refuse(NULL, NULL,
				'Evidence for this dispute has already been submitted.');
		END IF;
		d.evidence := stripe_sim.merge_evidence(CASE WHEN jsonb_typeof(p -> 'evidence') = 'null'
			THEN '{}' ELSE d.evidence END, p);
	END IF;
	IF submitted THEN
		d.submissions := 1;
		d.status := replace(d.status, 'needs_response', 'under_review');
		said := d.evidence ->> 'uncategorized_text';
	END IF;
	d.metadata := stripe_sim.merge_metadata(d.metadata, p);
	PERFORM stripe_sim.check_metadata(d.metadata);
	PERFORM stripe_sim.save(d);
	PERFORM stripe_sim.emit(r, 'charge.dispute.updated', stripe_sim.dispute_json(d),
		stripe_sim.changes(stripe_sim.dispute_json(before), stripe_sim.dispute_json(d)));
	IF said IN ('winning_evidence', 'losing_evidence') THEN
		d := stripe_sim.end_dispute(d, said = 'winning_evidence');
	ELSIF said = 'escalate_inquiry_evidence' AND d.status = 'warning_under_review' THEN
		d := stripe_sim.escalate(d);
	END IF;
	RETURN (200, stripe_sim.expand(stripe_sim.dispute_json(d), stripe_sim.paths(p)));
END $$;

-- Members that have changed, as they were.
CREATE FUNCTION stripe_sim.changes(before json, after json) RETURNS json
LANGUAGE sql IMMUTABLE
RETURN (SELECT json_object_agg(key, value) FROM json_each(before)
	 WHERE value::jsonb IS DISTINCT FROM (after -> key)::jsonb);

-- The shop lets it be: lost, or for an inquiry closed.
CREATE FUNCTION stripe_sim.close_dispute(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	d stripe_sim.dispute;
BEGIN
	PERFORM stripe_sim.check_expand('dispute', p);
	d := stripe_sim.end_dispute(stripe_sim.lock_dispute(r, p_id), false);
	RETURN (200, stripe_sim.expand(stripe_sim.dispute_json(d), stripe_sim.paths(p)));
END $$;

--
-- Payments: what is disputed at once, and what a bank takes days for.
--

-- Of whatever kinds the account takes; a debit wants euros.
ALTER FUNCTION stripe_sim.apply(stripe_sim.payment_intent, jsonb) RENAME TO apply_params;
CREATE FUNCTION stripe_sim.apply(pi stripe_sim.payment_intent, p jsonb)
RETURNS stripe_sim.payment_intent LANGUAGE plpgsql AS $$
DECLARE
	chosen text;
BEGIN
	IF p ? 'payment_method_types' THEN
		IF NOT p -> 'payment_method_types' <@ '["card", "sepa_debit"]' THEN
			RETURN stripe_sim.apply_params(pi, p);	-- which says what is wrong
		END IF;
		pi.payment_method_types := ARRAY(
			SELECT jsonb_array_elements_text(p -> 'payment_method_types'));
		pi.automatic_payment_methods := NULL;
	END IF;
	pi := stripe_sim.apply_params(pi, p - 'payment_method_types');
	SELECT c.kind INTO chosen FROM stripe_sim.payment_method m
	  JOIN stripe_sim.card c ON c.alias = m.card WHERE m.id = pi.payment_method;
	IF chosen <> ALL (pi.payment_method_types) AND pi.automatic_payment_methods IS NULL THEN
		PERFORM stripe_sim.invalid('payment_intent_invalid_parameter', 'payment_method',
			format('The PaymentMethod provided (%s) is not allowed for this PaymentIntent.'
			' Please attach a PaymentMethod of one of the following types: %s.', chosen,
			array_to_string(pi.payment_method_types, ', ')));
	ELSIF chosen = 'sepa_debit' AND pi.currency <> 'eur' THEN
		PERFORM stripe_sim.invalid('payment_intent_invalid_parameter', 'currency',
			'The currency provided is not supported by sepa_debit. Please use eur.');
	END IF;
	RETURN pi;
END $$;

CREATE FUNCTION stripe_sim.create_payment_method(r stripe_sim.request, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	wanted text := CASE p ->> 'type' WHEN 'card'
		THEN 'pm_card_' || substr(p ->> 'card[token]', length('tok_') + 1)
		ELSE translate(p ->> 'sepa_debit[iban]', ' ', '') END;
	param text := CASE p ->> 'type' WHEN 'card' THEN 'card[token]'
		ELSE 'sepa_debit[iban]' END;
BEGIN
	PERFORM stripe_sim.check_expand('payment_method', p);
	IF wanted IS NULL THEN
		PERFORM stripe_sim.invalid('parameter_missing', param,
			format('Missing required param: %s.', param));
	ELSIF NOT EXISTS (SELECT FROM stripe_sim.card c
	    WHERE c.alias = wanted AND c.kind = p ->> 'type') THEN
		PERFORM stripe_sim.refuse(CASE p ->> 'type' WHEN 'card' THEN 'resource_missing'
			ELSE 'invalid_bank_account_iban' END, param,
			format('Only test values are accepted here, and this is not one: ''%s''', p ->> param));
	END IF;
	-- What has just been made is not there yet for the statement that makes it.
	wanted := stripe_sim.resolve_payment_method(wanted);
	RETURN (200, stripe_sim.expand(stripe_sim.object_json(wanted), stripe_sim.paths(p)));
END $$;

ALTER FUNCTION stripe_sim.pay(stripe_sim.request, stripe_sim.payment_intent, boolean)
	RENAME TO take_money;
CREATE FUNCTION stripe_sim.pay(r stripe_sim.request, pi stripe_sim.payment_intent,
	p_authenticated boolean) RETURNS stripe_sim.payment_intent LANGUAGE plpgsql AS $$
BEGIN
	pi := stripe_sim.take_money(r, pi, p_authenticated);
	PERFORM stripe_sim.dispute_by_card(pi.latest_charge);
	RETURN pi;
END $$;

ALTER FUNCTION stripe_sim.capture_intent(stripe_sim.request, text, jsonb)
	RENAME TO take_held_money;
CREATE FUNCTION stripe_sim.capture_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	answer stripe_sim.answer := stripe_sim.take_held_money(r, p_id, p);
BEGIN
	PERFORM stripe_sim.dispute_by_card(latest_charge)
	   FROM stripe_sim.payment_intent WHERE id = p_id;
	RETURN answer;
END $$;

ALTER FUNCTION stripe_sim.confirm(stripe_sim.request, stripe_sim.payment_intent, jsonb)
	RENAME TO ask_card;
CREATE FUNCTION stripe_sim.confirm(r stripe_sim.request, pi stripe_sim.payment_intent, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	ch stripe_sim.charge;
BEGIN
	IF NOT EXISTS (SELECT FROM stripe_sim.payment_method m JOIN stripe_sim.card c
	    ON c.alias = m.card WHERE m.id = pi.payment_method AND c.settles <> 'at once') THEN
		RETURN stripe_sim.ask_card(r, pi, p);
	ELSIF pi.capture_method = 'manual' THEN
		PERFORM stripe_sim.invalid('payment_intent_invalid_parameter', 'capture_method',
			'The payment method sepa_debit does not support manual capture.');
	END IF;
	ch := stripe_sim.add_charge(pi, 'pending', false);
	INSERT INTO stripe_sim.later (due_at, what, subject)
	VALUES (now() + interval '1 second', 'finish_payment', ch.id);
	pi.status := 'processing';
	pi.latest_charge := ch.id;
	pi.last_payment_error := NULL;
	pi.next_action := NULL;
	PERFORM stripe_sim.save(pi);
	PERFORM stripe_sim.emit(r, 'payment_intent.processing', stripe_sim.payment_intent_json(pi));
	PERFORM stripe_sim.emit(r, 'charge.pending', stripe_sim.charge_json(ch));
	RETURN stripe_sim.intent_answer(r, stripe_sim.payment_intent_json(pi), p);
END $$;

-- The bank has answered.  Nothing is left to do when the shop has cancelled.
CREATE FUNCTION stripe_sim.finish_payment(p_charge text, p_paid boolean DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	pi stripe_sim.payment_intent;
	ch stripe_sim.charge;
	account stripe_sim.card;
BEGIN
	SELECT i.* INTO pi FROM stripe_sim.payment_intent i JOIN stripe_sim.charge h
	    ON h.payment_intent = i.id
	 WHERE h.id = p_charge AND i.latest_charge = h.id AND i.status = 'processing'
	   FOR NO KEY UPDATE OF i;
	IF NOT FOUND THEN
		RETURN;
	END IF;
	SELECT c.* INTO account FROM stripe_sim.payment_method m
	  JOIN stripe_sim.card c ON c.alias = m.card WHERE m.id = pi.payment_method;
	IF coalesce(p_paid, account.settles = 'later') THEN
		UPDATE stripe_sim.charge SET status = 'succeeded', amount_captured = amount,
			balance_transaction = 'txn_3' || stripe_sim.random_text(23)
		 WHERE id = p_charge RETURNING * INTO ch;
		pi.status := 'succeeded';
		pi.amount_received := pi.amount;
		PERFORM stripe_sim.save(pi);
		PERFORM stripe_sim.emit(NULL, 'charge.succeeded', stripe_sim.charge_json(ch));
		PERFORM stripe_sim.emit(NULL, 'payment_intent.succeeded',
			stripe_sim.payment_intent_json(pi));
		PERFORM stripe_sim.dispute_by_card(ch.id);
	ELSE
		UPDATE stripe_sim.charge SET status = 'failed' WHERE id = p_charge RETURNING * INTO ch;
		PERFORM stripe_sim.emit(NULL, 'charge.failed', stripe_sim.charge_json(ch));
		PERFORM stripe_sim.fail_intent(NULL, pi, json_build_object('charge', ch.id,
			'code', coalesce(account.code, 'payment_intent_payment_attempt_failed'),
			'message', coalesce(account.message, 'The payment failed.'),
			'type', 'card_error'));
	END IF;
END $$;

ALTER FUNCTION stripe_sim.cancel_intent(stripe_sim.request, text, jsonb) RENAME TO give_up_intent;
CREATE FUNCTION stripe_sim.cancel_intent(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	answer stripe_sim.answer := stripe_sim.give_up_intent(r, p_id, p);
BEGIN
	UPDATE stripe_sim.charge SET status = 'failed'
	 WHERE payment_intent = p_id AND status = 'pending';
	RETURN answer;
END $$;

--
-- Refunds.
--

-- Money that the bank has taken, or may yet take, cannot be sent back as well.
-- An inquiry is best answered with a refund, and one that was won is over.
CREATE OR REPLACE FUNCTION stripe_sim.lock_charge(r stripe_sim.request, p jsonb)
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
	ELSIF EXISTS (SELECT FROM stripe_sim.dispute d WHERE d.charge = ch.id
	    AND d.status IN ('needs_response', 'under_review', 'lost')) THEN
		PERFORM stripe_sim.refuse('charge_disputed', NULL, format('Charge %s has been charged'
			' back; cannot issue a refund.', ch.id));
	ELSIF ch.amount_refunded = ch.amount_captured THEN
		PERFORM stripe_sim.refuse('charge_already_refunded', NULL, format('Charge %s has'
			' already been refunded.', ch.id));
	END IF;
	RETURN ch;
END $$;

-- A refund of everything is all that an inquiry wanted.
ALTER FUNCTION stripe_sim.create_refund(stripe_sim.request, jsonb) RENAME TO send_money_back;
CREATE FUNCTION stripe_sim.create_refund(r stripe_sim.request, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	answer stripe_sim.answer := stripe_sim.send_money_back(r, p);
BEGIN
	PERFORM stripe_sim.end_dispute(d, false)
	   FROM stripe_sim.refund re JOIN stripe_sim.charge h ON h.id = re.charge
	   JOIN stripe_sim.dispute d ON d.charge = h.id
	  WHERE re.id = answer.body ->> 'id' AND h.amount_refunded = h.amount_captured
	    AND d.status IN ('warning_needs_response', 'warning_under_review');
	RETURN answer;
END $$;

-- Its money is with the shop again.
CREATE FUNCTION stripe_sim.undo_refund(r stripe_sim.request, re stripe_sim.refund)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	was text;
BEGIN
	UPDATE stripe_sim.charge SET amount_refunded = amount_refunded - re.amount
	 WHERE id = re.charge;
	SELECT o.status INTO was FROM stripe_sim.refund o WHERE o.id = re.id;
	UPDATE stripe_sim.refund SET status = re.status, failure_reason = re.failure_reason,
		failed_at = now(), failure_balance_transaction = 'txn_1' || stripe_sim.random_text(23)
	 WHERE id = re.id RETURNING * INTO re;
	IF re.status = 'failed' THEN
		PERFORM stripe_sim.emit(r, 'refund.failed', stripe_sim.refund_json(re));
	END IF;
	PERFORM stripe_sim.tell_of_refund(r, re, json_build_object('status', was));
END $$;

CREATE FUNCTION stripe_sim.tell_of_refund(r stripe_sim.request, re stripe_sim.refund,
	p_previous json) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	PERFORM stripe_sim.emit(r, 'refund.updated', stripe_sim.refund_json(re), p_previous);
	PERFORM stripe_sim.emit(r, 'charge.refund.updated', stripe_sim.refund_json(re), p_previous);
END $$;

-- Its row, locked after its intent.
CREATE FUNCTION stripe_sim.lock_refund(r stripe_sim.request, p_id text)
RETURNS stripe_sim.refund LANGUAGE plpgsql AS $$
DECLARE
	re stripe_sim.refund;
BEGIN
	SELECT * INTO re FROM stripe_sim.refund WHERE id = p_id;
	IF NOT FOUND THEN
		PERFORM stripe_sim.missing('refund', p_id, 'id');
	END IF;
	PERFORM stripe_sim.lock_intent(r, re.payment_intent, '{}');
	SELECT * INTO re FROM stripe_sim.refund WHERE id = p_id FOR NO KEY UPDATE;
	RETURN re;
END $$;

-- The card network has taken it, with a reference, or its bank sends it back.
-- p_fails: as somebody wants it; null, as the card has it.
DROP FUNCTION stripe_sim.finish_refund(text);
CREATE FUNCTION stripe_sim.finish_refund(p_id text, p_fails boolean DEFAULT NULL)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	re stripe_sim.refund := stripe_sim.lock_refund(NULL, p_id);
	before json := stripe_sim.refund_json(re);
	becomes text;
BEGIN
	IF re.status IN ('failed', 'canceled') THEN
		RETURN;
	END IF;
	SELECT c.refund INTO becomes FROM stripe_sim.charge h
	  JOIN stripe_sim.payment_method m ON m.id = h.payment_method
	  JOIN stripe_sim.card c ON c.alias = m.card WHERE h.id = re.charge;
	IF coalesce(p_fails, becomes = 'failed') THEN
		re.status := 'failed';
		re.failure_reason := 'unknown';
		PERFORM stripe_sim.undo_refund(NULL, re);
	ELSIF re.reference IS NULL THEN
		UPDATE stripe_sim.refund SET status = 'succeeded',
		       reference = translate(substr(md5(id), 1, 16), 'abcdef', '012345')
		 WHERE id = p_id RETURNING * INTO re;
		PERFORM stripe_sim.tell_of_refund(NULL, re,
			stripe_sim.changes(before, stripe_sim.refund_json(re)));
	END IF;
END $$;

-- Only while nothing has left yet.
CREATE FUNCTION stripe_sim.cancel_refund(r stripe_sim.request, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	re stripe_sim.refund;
BEGIN
	PERFORM stripe_sim.check_expand('refund', p);
	re := stripe_sim.lock_refund(r, p_id);
	IF re.status <> 'pending' THEN
		PERFORM stripe_sim.refuse(NULL, NULL, format('Refund %s cannot be canceled because it'
			' has a status of %s.', p_id, re.status));
	END IF;
	re.status := 'canceled';
	re.failure_reason := 'merchant_request';
	PERFORM stripe_sim.undo_refund(r, re);
	RETURN (200, stripe_sim.expand(stripe_sim.object_json(p_id), stripe_sim.paths(p)));
END $$;

--
-- Webhook endpoints.
--

-- The old one signs along for some hours more.
CREATE FUNCTION stripe_sim.roll_secret(p_id text, p_hours integer) RETURNS stripe_sim.answer
LANGUAGE plpgsql AS $$
DECLARE
	made stripe_sim.webhook_endpoint;
BEGIN
	UPDATE stripe_sim.webhook_endpoint SET secret = 'whsec_' || stripe_sim.random_text(32),
		old_secret = secret, old_secret_until = now() + make_interval(hours => p_hours)
	 WHERE id = p_id RETURNING * INTO made;
	IF NOT FOUND THEN
		PERFORM stripe_sim.missing('webhook endpoint', p_id, 'id');
	END IF;
	RETURN (200, (stripe_sim.webhook_endpoint_json(made)::jsonb
		|| jsonb_build_object('secret', made.secret))::json);
END $$;

CREATE OR REPLACE FUNCTION stripe_sim.ensure_endpoint(p_url text, p_secret text) RETURNS text
LANGUAGE sql AS $$
	INSERT INTO stripe_sim.webhook_endpoint (id, url, secret, enabled_events, description)
	VALUES ('we_1shop', p_url, p_secret, '{payment_intent.succeeded,
		payment_intent.payment_failed,payment_intent.processing,payment_intent.canceled,
		payment_intent.requires_action,payment_intent.amount_capturable_updated,
		charge.refunded,charge.refund.updated,refund.*,charge.dispute.*}', 'The shop')
	ON CONFLICT (id) DO UPDATE SET url = excluded.url, secret = excluded.secret,
		enabled_events = excluded.enabled_events, disabled = false
	RETURNING id;
$$;

-- As before, and with the secret that is on its way out.
DROP FUNCTION stripe_sim.claim_deliveries(integer, integer, boolean);
CREATE FUNCTION stripe_sim.claim_deliveries(p_most integer, p_lease_s integer,
	p_may_wait boolean)
RETURNS TABLE (delivery bigint, endpoint text, url text, secret text, old_secret text, body text)
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
		SELECT d.id, claimed.id, claimed.url, claimed.secret,
		       CASE WHEN claimed.old_secret_until > now() THEN claimed.old_secret END,
		       stripe_sim.event_json(e)::text
		  FROM stripe_sim.delivery d JOIN stripe_sim.event e ON e.id = d.event
		 WHERE d.endpoint = claimed.id AND d.due_at <= now()
		 ORDER BY d.due_at, d.position, d.id LIMIT p_most;
END $$;

ALTER FUNCTION stripe_sim.finish_deliveries(text, json, integer) RENAME TO note_deliveries;
REVOKE EXECUTE ON FUNCTION stripe_sim.note_deliveries(text, json, integer) FROM souk_stripe_sim;
CREATE FUNCTION stripe_sim.finish_deliveries(p_endpoint text, p_results json, p_retry_ms integer)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = '' AS $$
	SELECT stripe_sim.note_deliveries(p_endpoint, p_results, p_retry_ms);
	UPDATE stripe_sim.delivery SET last_at = now()
	 WHERE id IN (SELECT t.id FROM json_to_recordset(p_results) t (id bigint));
$$;

--
-- Calls, and what Stripe does by itself.
--

ALTER FUNCTION stripe_sim.perform(stripe_sim.request, text, text, jsonb) RENAME TO perform_first;
CREATE FUNCTION stripe_sim.perform(r stripe_sim.request, p_operation text, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
BEGIN
	CASE p_operation
	WHEN 'retrieve_dispute' THEN RETURN stripe_sim.retrieve('dispute', 'du', p_id, p);
	WHEN 'update_dispute' THEN RETURN stripe_sim.update_dispute(r, p_id, p);
	WHEN 'close_dispute' THEN RETURN stripe_sim.close_dispute(r, p_id, p);
	WHEN 'list_disputes' THEN RETURN stripe_sim.list('dispute', p, '/v1/disputes',
		'(NOT $2 ? ''payment_intent'' OR payment_intent = $2 ->> ''payment_intent'')'
		' AND (NOT $2 ? ''charge'' OR charge = $2 ->> ''charge'')');
	WHEN 'cancel_refund' THEN RETURN stripe_sim.cancel_refund(r, p_id, p);
	WHEN 'create_payment_method' THEN RETURN stripe_sim.create_payment_method(r, p);
	WHEN 'retrieve_payment_method' THEN
		IF NOT EXISTS (SELECT FROM stripe_sim.payment_method WHERE id = p_id) THEN
			PERFORM stripe_sim.missing('PaymentMethod', p_id, 'payment_method');
		END IF;
		RETURN stripe_sim.retrieve('payment_method', 'pm', p_id, p);
	WHEN 'retrieve_balance_transaction' THEN
		RETURN stripe_sim.retrieve('balance_transaction', 'txn', p_id, p);
	WHEN 'list_events' THEN
		IF p ? 'type' AND p ? 'types' THEN
			PERFORM stripe_sim.invalid(NULL, 'types',
				'You may only specify one of these parameters: type, types.');
		ELSIF jsonb_array_length(p -> 'types') > 20 THEN
			PERFORM stripe_sim.invalid(NULL, 'types',
				'You may specify at most 20 event types.');
		END IF;
	ELSE NULL;
	END CASE;
	RETURN stripe_sim.perform_first(r, p_operation, p_id, p);
END $$;

-- Whoever moves the money of an intent has its row locked first.  Two that do
-- this at once take them in one order, and each intent's items in theirs.
CREATE OR REPLACE FUNCTION stripe_sim.tick() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	item record;
BEGIN
	FOR item IN
		WITH due AS (
			DELETE FROM stripe_sim.later WHERE id = ANY (ARRAY(
				SELECT id FROM stripe_sim.later WHERE due_at <= now()
				 ORDER BY due_at LIMIT 100 FOR UPDATE SKIP LOCKED))
			RETURNING *)
		SELECT d.*, i.id AS intent FROM due d, stripe_sim.payment_intent i
		 WHERE i.id = coalesce(
			(SELECT payment_intent FROM stripe_sim.charge WHERE id = d.subject),
			(SELECT payment_intent FROM stripe_sim.refund WHERE id = d.subject))
		 ORDER BY intent, d.due_at, d.id
	LOOP
		PERFORM FROM stripe_sim.payment_intent WHERE id = item.intent FOR NO KEY UPDATE;
		CASE item.what
		WHEN 'settle_charge' THEN PERFORM stripe_sim.settle_charge(item.subject);
		WHEN 'finish_refund' THEN PERFORM stripe_sim.finish_refund(item.subject);
		WHEN 'finish_payment' THEN PERFORM stripe_sim.finish_payment(item.subject);
		END CASE;
	END LOOP;
	DELETE FROM stripe_sim.idempotency_key WHERE key = ANY (ARRAY(
		SELECT key FROM stripe_sim.idempotency_key
		 WHERE created_at < now() - interval '25 hours' LIMIT 500));
	DELETE FROM stripe_sim.event WHERE id = ANY (ARRAY(
		SELECT id FROM stripe_sim.event
		 WHERE created_at < now() - interval '30 days' LIMIT 500));
END $$;

--
-- The control page.
--

CREATE FUNCTION stripe_sim.charge_state(h stripe_sim.charge) RETURNS json
LANGUAGE sql STABLE
RETURN (SELECT json_build_object('id', h.id, 'status', h.status, 'card', c.last4,
	'failure', CASE h.status WHEN 'failed' THEN coalesce(c.decline_code, c.code) END,
	'captured', stripe_sim.money(h.amount_captured, h.currency),
	'refundable', h.amount_captured > h.amount_refunded,
	'disputed', h.disputed,
	'refunds', (SELECT coalesce(json_agg(json_build_object('id', re.id, 'status', re.status,
			'amount', stripe_sim.money(re.amount, re.currency)) ORDER BY re.seq), '[]')
		  FROM stripe_sim.refund re WHERE re.charge = h.id),
	'disputes', (SELECT coalesce(json_agg(json_build_object('id', d.id, 'status', d.status,
			'reason', d.reason, 'amount', stripe_sim.money(d.amount, d.currency))
			ORDER BY d.seq), '[]')
		  FROM stripe_sim.dispute d WHERE d.charge = h.id))
	  FROM stripe_sim.payment_method m JOIN stripe_sim.card c ON c.alias = m.card
	 WHERE m.id = h.payment_method);

CREATE FUNCTION stripe_sim.intent_state(i stripe_sim.payment_intent) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('seq', i.seq, 'id', i.id, 'created', stripe_sim.epoch(i.created_at),
	'status', i.status, 'minor', i.amount, 'digits', stripe_sim.digits(i.currency),
	'amount', stripe_sim.money(i.amount, i.currency), 'currency', upper(i.currency),
	'error', i.last_payment_error ->> 'message', 'description', i.description,
	'metadata', i.metadata,
	'charges', (SELECT coalesce(json_agg(stripe_sim.charge_state(h) ORDER BY h.seq DESC), '[]')
		  FROM stripe_sim.charge h WHERE h.payment_intent = i.id));

CREATE FUNCTION stripe_sim.event_state(e stripe_sim.event) RETURNS json
LANGUAGE sql STABLE
RETURN json_build_object('id', e.id, 'type', e.type, 'created', stripe_sim.epoch(e.created_at),
	'about', e.data -> 'object' ->> 'id',
	'intent', coalesce(e.data -> 'object' ->> 'payment_intent', e.data -> 'object' ->> 'id'),
	'deliveries', (SELECT coalesce(json_agg(json_build_object('id', d.id,
			'endpoint', d.endpoint, 'attempts', d.attempts, 'delivered', d.delivered,
			'status', d.http_status, 'problem', d.problem,
			'last', stripe_sim.epoch(d.last_at),
			'due_ms', CASE WHEN d.due_at IS NOT NULL THEN greatest(0,
				extract(epoch FROM d.due_at - now()) * 1000)::bigint END)
			ORDER BY d.id), '[]')
		  FROM stripe_sim.delivery d WHERE d.event = e.id));

CREATE FUNCTION stripe_sim.card_says(c stripe_sim.card) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE WHEN c.kind = 'sepa_debit' THEN 'bank debit, ' || CASE c.settles
		WHEN 'never' THEN 'fails later'
		ELSE 'succeeds later' || CASE WHEN c.dispute IS NULL THEN '' ELSE ', disputed' END END
	WHEN c.code IS NOT NULL THEN 'declined: ' || coalesce(c.decline_code, c.code)
	WHEN c.challenge THEN '3-D Secure'
	WHEN c.inquiry THEN 'pays, then an inquiry'
	WHEN c.dispute IS NOT NULL THEN 'pays, then disputed: ' || c.dispute
	WHEN c.refund = 'pending' THEN 'pays; refunds stay pending a while'
	WHEN c.refund = 'failed' THEN 'pays; refunds fail'
	ELSE 'pays' END;

-- Everything the page shows.  A search looks at what is recent.
CREATE FUNCTION stripe_sim.state(p_search text, p_before bigint) RETURNS json
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$
	SELECT json_build_object(
		'intents', (SELECT coalesce(json_agg(stripe_sim.intent_state(i) ORDER BY (i).seq DESC), '[]')
			  FROM (SELECT i FROM (SELECT i FROM stripe_sim.payment_intent i
				 WHERE p_before IS NULL OR seq < p_before
				 ORDER BY seq DESC LIMIT 5000) recent (i)
			 WHERE p_search IS NULL OR strpos(lower(concat_ws(' ', (i).id, (i).status,
				(i).description, (SELECT string_agg(key || ' ' || value, ' ')
				  FROM jsonb_each_text((i).metadata)))), lower(p_search)) > 0
			 ORDER BY (i).seq DESC LIMIT 20) shown),
		'events', (SELECT coalesce(json_agg(stripe_sim.event_state(e) ORDER BY (e).seq DESC), '[]')
			  FROM (SELECT e FROM (SELECT e FROM stripe_sim.event e
				 ORDER BY seq DESC LIMIT 1000) recent (e)
			 WHERE p_search IS NULL OR strpos(lower(concat_ws(' ', (e).id, (e).type,
				(e).data)), lower(p_search)) > 0
			 ORDER BY (e).seq DESC LIMIT 40) shown),
		'endpoints', (SELECT coalesce(json_agg(json_build_object('id', w.id, 'url', w.url,
				'description', w.description, 'disabled', w.disabled) ORDER BY w.seq), '[]')
			  FROM stripe_sim.webhook_endpoint w),
		'faults', stripe_sim.faults(),
		'cards', (SELECT json_agg(json_build_object('alias', c.alias, 'kind', c.kind,
				'says', c.last4 || ' · ' || stripe_sim.card_says(c))
				ORDER BY c.kind, c.code IS NOT NULL, c.challenge, c.alias <> 'pm_card_visa', c.alias)
			  FROM stripe_sim.card c
			 WHERE c.alias NOT LIKE 'pm\_card\_visa\_chargeDeclined%'));
$$;

-- What somebody does by hand.  The events of it are automatic ones: no request
-- of the shop's has caused them.
CREATE FUNCTION stripe_sim.act(r stripe_sim.request, p_action text, p_id text, p jsonb)
RETURNS stripe_sim.answer LANGUAGE plpgsql AS $$
DECLARE
	charge text;
BEGIN
	CASE p_action
	WHEN 'pay' THEN
		RETURN stripe_sim.confirm_intent(r, p_id, jsonb_build_object('payment_method', p -> 'card'));
	WHEN 'authenticate' THEN RETURN stripe_sim.authenticate_intent(r, p_id, p);
	WHEN 'capture' THEN RETURN stripe_sim.capture_intent(r, p_id, '{}');
	WHEN 'cancel' THEN RETURN stripe_sim.cancel_intent(r, p_id, '{}');
	WHEN 'refund' THEN
		RETURN stripe_sim.create_refund(r, p - 'card' || jsonb_build_object('payment_intent', p_id));
	WHEN 'dispute' THEN
		charge := (stripe_sim.lock_intent(r, p_id, '{}')).latest_charge;
		RETURN (200, stripe_sim.dispute_json(stripe_sim.open_dispute(charge,
			coalesce(p ->> 'reason', 'fraudulent'), coalesce((p ->> 'inquiry')::boolean, false))));
	WHEN 'end_dispute' THEN
		RETURN (200, stripe_sim.dispute_json(stripe_sim.end_dispute(
			stripe_sim.lock_dispute(r, p_id), p ->> 'outcome' = 'succeed')));
	WHEN 'finish_payment' THEN
		SELECT latest_charge INTO charge FROM stripe_sim.lock_intent(r, p_id, '{}')
		 WHERE status = 'processing';
		IF NOT FOUND THEN
			PERFORM stripe_sim.refuse(NULL, NULL, 'This PaymentIntent is not being processed.');
		END IF;
		PERFORM stripe_sim.finish_payment(charge, p ->> 'outcome' = 'succeed');
		RETURN (200, stripe_sim.object_json(p_id));
	WHEN 'finish_refund' THEN
		PERFORM stripe_sim.finish_refund(p_id, p ->> 'outcome' = 'fail');
		RETURN (200, stripe_sim.object_json(p_id));
	WHEN 'resend' THEN RETURN stripe_sim.retry_event(p_id, p);
	WHEN 'roll_secret' THEN RETURN stripe_sim.roll_secret(p_id, 24);
	END CASE;
END $$;

CREATE FUNCTION stripe_sim.control(p_action text, p_id text, p jsonb, r_id text, p_origin text)
RETURNS stripe_sim.answer LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS $$
DECLARE
	refusal text;
BEGIN
	RETURN stripe_sim.act((NULL, NULL, false, p_origin)::stripe_sim.request, p_action, p_id, jsonb_strip_nulls(p));
EXCEPTION WHEN SQLSTATE 'SS000' OR SQLSTATE 'SS001' THEN
	GET STACKED DIAGNOSTICS refusal = PG_EXCEPTION_DETAIL;
	RETURN (SQLERRM::integer, stripe_sim.error_body(refusal::json, r_id));
END $$;

GRANT EXECUTE ON FUNCTION
	stripe_sim.claim_deliveries(integer, integer, boolean),
	stripe_sim.finish_deliveries(text, json, integer),
	stripe_sim.state(text, bigint),
	stripe_sim.control(text, text, jsonb, text, text)
	TO souk_stripe_sim;
