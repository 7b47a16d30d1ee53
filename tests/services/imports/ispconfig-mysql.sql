-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)
--
-- Host: localhost    Database: dbispconfig
/*!50503 SET NAMES utf8mb4 */;
/*!40103 SET TIME_ZONE='+00:00' */;

CREATE TABLE `client` (
  `client_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `sys_userid` int(11) unsigned NOT NULL DEFAULT '0',
  `company_name` varchar(64) DEFAULT NULL,
  `contact_firstname` varchar(64) NOT NULL DEFAULT '',
  `contact_name` varchar(64) DEFAULT NULL,
  `customer_no` varchar(64) DEFAULT NULL,
  `email` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`client_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `client` VALUES (1,1,'Firma sp. z o.o.','Anna','Żółć','K-17','anna@firma.pl'),(2,1,NULL,'Jan','Kowalski','','jan@kowalski.pl'),(3,1,'Bez poczty','','','K-18','x@y.pl');

CREATE TABLE `sys_group` (
  `groupid` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `name` varchar(64) NOT NULL DEFAULT '',
  `description` text,
  `client_id` int(11) unsigned NOT NULL DEFAULT '0',
  PRIMARY KEY (`groupid`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `sys_group` VALUES (1,'admin','Administrators group',0),(2,'firma','',1),(3,'kowalski','',2);

CREATE TABLE `mail_domain` (
  `domain_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `sys_userid` int(11) unsigned NOT NULL DEFAULT '0',
  `sys_groupid` int(11) unsigned NOT NULL DEFAULT '0',
  `sys_perm_user` varchar(5) NOT NULL DEFAULT '',
  `server_id` int(11) unsigned NOT NULL DEFAULT '0',
  `domain` varchar(255) NOT NULL DEFAULT '',
  `dkim` enum('n','y') NOT NULL DEFAULT 'n',
  `dkim_private` mediumtext,
  `active` enum('n','y') NOT NULL DEFAULT 'n',
  `local_delivery` enum('n','y') NOT NULL DEFAULT 'y',
  PRIMARY KEY (`domain_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `mail_domain` VALUES (1,1,2,'riud',1,'firma.pl','n',NULL,'y','y'),(2,1,3,'riud',1,'kowalski.pl','y','-----BEGIN RSA PRIVATE KEY-----\nx\n','y','y'),(3,1,1,'riud',1,'niczyja.pl','n','','n','n');

CREATE TABLE `mail_forwarding` (
  `forwarding_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `sys_groupid` int(11) unsigned NOT NULL DEFAULT '0',
  `source` varchar(255) NOT NULL DEFAULT '',
  `destination` text,
  `type` enum('alias','aliasdomain','forward','catchall') NOT NULL DEFAULT 'alias',
  `active` enum('n','y') NOT NULL DEFAULT 'n',
  PRIMARY KEY (`forwarding_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `mail_forwarding` VALUES (1,2,'biuro@firma.pl','anna@firma.pl','alias','y'),(2,2,'wszyscy@firma.pl','anna@firma.pl\r\njan@kowalski.pl\r\nobcy@poczta.example','forward','y'),(3,2,'@firma.example','@firma.pl','aliasdomain','y'),(4,3,'@kowalski.pl','jan@kowalski.pl','catchall','y'),(5,2,'@firma.pl','obcy@poczta.example','catchall','n');

CREATE TABLE `mail_get` (
  `mailget_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `source_server` varchar(255) DEFAULT NULL,
  `source_password` varchar(64) DEFAULT NULL,
  `destination` varchar(255) DEFAULT NULL,
  `active` varchar(255) NOT NULL DEFAULT 'y',
  PRIMARY KEY (`mailget_id`)
) ENGINE=InnoDB;
INSERT INTO `mail_get` VALUES (1,'pop.poczta.example','tajne','anna@firma.pl','y');

CREATE TABLE `mail_user` (
  `mailuser_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `sys_groupid` int(11) unsigned NOT NULL DEFAULT '0',
  `email` varchar(255) NOT NULL DEFAULT '',
  `login` varchar(255) NOT NULL DEFAULT '',
  `password` varchar(255) NOT NULL DEFAULT '',
  `name` varchar(255) NOT NULL DEFAULT '',
  `quota` bigint(20) NOT NULL DEFAULT '-1',
  `cc` varchar(255) NOT NULL DEFAULT '',
  `sender_cc` varchar(255) NOT NULL DEFAULT '',
  `autoresponder` enum('n','y') NOT NULL DEFAULT 'n',
  `autoresponder_start_date` datetime DEFAULT NULL,
  `autoresponder_end_date` datetime DEFAULT NULL,
  `autoresponder_subject` varchar(255) NOT NULL DEFAULT 'Out of office reply',
  `autoresponder_text` mediumtext,
  `custom_mailfilter` mediumtext,
  `postfix` enum('n','y') NOT NULL DEFAULT 'y',
  `disableimap` enum('n','y') NOT NULL DEFAULT 'n',
  `disablepop3` enum('n','y') NOT NULL DEFAULT 'n',
  `disablesmtp` enum('n','y') NOT NULL DEFAULT 'n',
  PRIMARY KEY (`mailuser_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `mail_user` VALUES (1,2,'anna@firma.pl','anna@firma.pl','$6$2gS/RqkQpqxzuoTP$GbkZ5/ZExI8S530Bd5p9hn9Gd7zPofFF0quHefVuQty7bHUSGSaCtB8EDHBkmYR4CQh1WaUCuVs/SCd3oFDn//','Anna Żółć',1073741824,'kopia@poczta.example','','y','2026-11-20 08:00:00','2027-01-06 16:00:00','Urlop','Wracam szóstego.','','y','n','n','n'),(2,3,'jan@kowalski.pl','jan@kowalski.pl','$1$XyDcIGxN$5piNYsSM53ch5OdEfB2i2.','Jan',-1,'','','y','0000-00-00 00:00:00','0000-00-00 00:00:00','Out of office reply','Dziękuję za wiadomość.','if header :contains \"x\" \"y\" { discard; }','y','n','n','n'),(3,2,'ewa@firma.pl','ewa@firma.pl','*','',0,'','','n',NULL,NULL,'Out of office reply','','','n','n','n','n'),(4,2,'ola@firma.pl','ola@firma.pl','','',0,'','','y','2026-11-31 09:00:00',NULL,'x','y','','y','y','n','y');

CREATE TABLE `mail_mailinglist` (
  `mailinglist_id` int(11) unsigned NOT NULL AUTO_INCREMENT,
  `domain` varchar(255) NOT NULL DEFAULT '',
  `listname` varchar(255) NOT NULL DEFAULT '',
  `email` varchar(255) NOT NULL DEFAULT '',
  PRIMARY KEY (`mailinglist_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `mail_mailinglist` VALUES (1,'firma.pl','nowosci','anna@firma.pl');

CREATE TABLE `mail_relay_domain` (
  `relay_domain_id` bigint(20) NOT NULL AUTO_INCREMENT,
  `domain` varchar(255) NOT NULL DEFAULT '',
  `active` varchar(255) NOT NULL DEFAULT 'y',
  PRIMARY KEY (`relay_domain_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;
INSERT INTO `mail_relay_domain` VALUES (1,'zapas.pl','y');

-- Dump completed on 2026-11-27 12:00:00
