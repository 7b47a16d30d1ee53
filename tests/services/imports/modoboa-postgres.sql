--
-- PostgreSQL database dump
--

-- Dumped from database version 15.8 (Debian 15.8-0+deb12u1)
-- Dumped by pg_dump version 15.8 (Debian 15.8-0+deb12u1)

SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);

CREATE TABLE public.admin_domain (
    id integer NOT NULL,
    creation timestamp with time zone,
    last_modification timestamp with time zone,
    name character varying(100) NOT NULL,
    quota integer NOT NULL,
    enabled boolean NOT NULL,
    type character varying(20) NOT NULL,
    default_mailbox_quota integer NOT NULL,
    message_limit integer
);

COPY public.admin_domain (id, creation, last_modification, name, quota, enabled, type, default_mailbox_quota, message_limit) FROM stdin;
1	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	firma.pl	5000	t	domain	500	\N
2	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	przekaz.pl	0	t	relaydomain	0	\N
3	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	druga.pl	0	f	domain	0	\N
\.

COPY public.admin_domainalias (id, creation, last_modification, name, enabled, target_id) FROM stdin;
1	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	firma.example	t	1
\.

COPY public.core_user (id, password, last_login, is_superuser, first_name, last_name, is_staff, date_joined, username, email, is_active, is_local, master_user, language) FROM stdin;
1	pbkdf2_sha256$600000$saltsaltsaltsalt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=	\N	t			t	2024-01-05 10:00:00+00	admin	admin@firma.pl	t	t	f	en
2	{SHA512-CRYPT}$6$2gS/RqkQpqxzuoTP$GbkZ5/ZExI8S530Bd5p9hn9Gd7zPofFF0quHefVuQty7bHUSGSaCtB8EDHBkmYR4CQh1WaUCuVs/SCd3oFDn//	\N	f	Anna	Żółć	f	2024-01-05 10:00:00+00	anna@firma.pl	anna@firma.pl	t	t	f	pl
3	{ARGON2ID}$argon2id$v=19$m=1024,t=2,p=1$78cvenL7qwRJAYoKeVRAHA$uC51vYbpmRlynffghnuZr0kxXtBH09/99onchqWqJp4	\N	f	Jan		f	2024-01-05 10:00:00+00	jan@firma.pl	jan@firma.pl	f	t	f	en
4	pbkdf2_sha256$1000$saltsalt$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=	\N	f	Ewa		f	2024-01-05 10:00:00+00	ewa@druga.pl	ewa@druga.pl	t	t	f	de
\.

COPY public.admin_mailbox (id, creation, last_modification, address, quota, use_domain_quota, domain_id, user_id, message_limit, is_send_only) FROM stdin;
11	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	anna	0	t	1	2	\N	f
12	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	jan	250	f	1	3	\N	t
13	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	ewa	100	f	3	4	\N	f
\.

COPY public.admin_alias (id, creation, last_modification, address, enabled, internal, description, expire_at, domain_id) FROM stdin;
1	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	anna@firma.pl	t	t		\N	1
2	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	biuro@firma.pl	t	f		\N	1
3	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	akcja@firma.pl	t	f		2026-12-31 00:00:00+00	1
4	2024-01-05 10:00:00+00	2024-01-05 10:00:00+00	@druga.pl	t	f		\N	3
\.

COPY public.admin_aliasrecipient (id, address, alias_id, r_alias_id, r_mailbox_id) FROM stdin;
1	anna@firma.pl	1	\N	11
2	anna@firma.pl	2	\N	11
3	jan@firma.pl	2	\N	12
4	biuro@firma.pl	3	2	\N
5	obcy@poczta.example	4	\N	\N
6	anna@firma.pl@autoreply.firma.pl	1	\N	\N
\.

COPY public.admin_senderaddress (id, address, mailbox_id) FROM stdin;
1	prezes@poczta.example	11
\.

COPY public.otp_totp_totpdevice (id, name, confirmed, key, user_id) FROM stdin;
1	default	t	0123456789abcdef0123456789abcdef01234567	2
2	default	f	0123456789abcdef0123456789abcdef01234567	3
3	default	t	0123456789abcdef0123456789abcdef01234567	1
\.

COPY public.core_localconfig (id, site_id, _parameters) FROM stdin;
1	1	{"core": {"password_scheme": "sha512crypt"}, "autoreply": {"tracking_period": 3}}
\.

COPY public.postfix_autoreply_armessage (id, subject, content, enabled, fromdate, untildate, mbox_id) FROM stdin;
1	Nie ma mnie	%(name)s wraca %(untildate)s.\nPrzez 100%% czasu {{ poza }} biurem.	t	2026-11-20 08:00:00+00	2027-01-06 22:59:00+00	11
2	Kiedyś	Byłem	t	2025-07-01 08:00:00+00	2025-07-14 20:00:00+00	12
3	Drugi tej samej	drugi	f	2025-07-01 08:00:00+00	\N	11
\.

--
-- PostgreSQL database dump complete
--
