/*M!999999\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: postfix
-- ------------------------------------------------------
-- Server version	10.11.6-MariaDB-0+deb12u1

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;

--
-- Table structure for table `admin`
--

DROP TABLE IF EXISTS `admin`;
/*!40101 SET @saved_cs_client     = @@character_set_client */;
CREATE TABLE `admin` (
  `username` varchar(255) NOT NULL,
  `password` varchar(255) NOT NULL,
  `superadmin` tinyint(1) NOT NULL DEFAULT 0,
  `active` tinyint(1) NOT NULL DEFAULT 1,
  PRIMARY KEY (`username`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COLLATE=latin1_swedish_ci COMMENT='Postfix Admin - Virtual Admins';
/*!40101 SET character_set_client = @saved_cs_client */;

LOCK TABLES `admin` WRITE;
/*!40000 ALTER TABLE `admin` DISABLE KEYS */;
INSERT INTO `admin` VALUES
('root@firma.pl','$1$12345678$xxxxxxxxxxxxxxxxxxxxxx',1,1);
/*!40000 ALTER TABLE `admin` ENABLE KEYS */;
UNLOCK TABLES;

DROP TABLE IF EXISTS `alias`;
CREATE TABLE `alias` (
  `address` varchar(255) NOT NULL,
  `goto` text NOT NULL,
  `domain` varchar(255) NOT NULL,
  `created` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `modified` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT 1,
  PRIMARY KEY (`address`),
  KEY `domain` (`domain`)
) ENGINE=InnoDB DEFAULT CHARSET=latin1 COMMENT='Postfix Admin - Virtual Aliases';

LOCK TABLES `alias` WRITE;
INSERT INTO `alias` VALUES
('anna@firma.pl','anna@firma.pl,anna#firma.pl@autoreply.firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('jan@firma.pl','jan@firma.pl,jan.prywatnie@poczta.example','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('ewa@firma.pl','ewa@firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('stary@firma.pl','stary@firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('biuro@firma.pl','anna@firma.pl,jan@firma.pl,ksiegowa@biuro-rachunkowe.example','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('kontakt@firma.pl','biuro@firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('a@firma.pl','b@firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('b@firma.pl','a@firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('skrypt@firma.pl','|/usr/local/bin/rt-mailgate','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('dawne@firma.pl','anna@firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',0),
('@firma.pl','anna@firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1),
('zarzad@firma.pl','prezes@xn--wgiel-q0a.pl,odszedl@firma.pl','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1);
UNLOCK TABLES;

CREATE TABLE `alias_domain` (
  `alias_domain` varchar(255) NOT NULL DEFAULT '',
  `target_domain` varchar(255) NOT NULL DEFAULT '',
  `created` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `modified` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT 1,
  PRIMARY KEY (`alias_domain`)
) ENGINE=InnoDB COMMENT='Postfix Admin - Domain Aliases';
INSERT INTO `alias_domain` VALUES
('firma.example','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1);

CREATE TABLE `domain` (
  `domain` varchar(255) NOT NULL,
  `description` varchar(255) CHARACTER SET utf8 NOT NULL,
  `aliases` int(10) NOT NULL DEFAULT 0,
  `mailboxes` int(10) NOT NULL DEFAULT 0,
  `maxquota` bigint(20) NOT NULL DEFAULT 0,
  `quota` bigint(20) NOT NULL DEFAULT 0,
  `transport` varchar(255) NOT NULL,
  `backupmx` tinyint(1) NOT NULL DEFAULT 0,
  `created` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `modified` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `password_expiry` int(11) DEFAULT 0,
  PRIMARY KEY (`domain`)
) ENGINE=InnoDB COMMENT='Postfix Admin - Virtual Domains';
INSERT INTO `domain` VALUES
('ALL','',0,0,0,0,'',0,'2024-01-05 10:00:00','2024-01-05 10:00:00',1,0),
('firma.pl','Firma; „spółka” -- nie komentarz /* ani to */',100,10,2048,20480,'virtual',0,'2024-01-05 10:00:00','2024-01-05 10:00:00',1,0),
('xn--wgiel-q0a.pl','',0,0,0,0,'virtual',0,'2024-01-05 10:00:00','2024-01-05 10:00:00',1,0),
('uspiony.pl','',0,0,0,0,'smtp:[10.0.0.5]:25',0,'2024-01-05 10:00:00','2024-01-05 10:00:00',0,0),
('zapas.pl','',0,0,0,0,'relay',1,'2024-01-05 10:00:00','2024-01-05 10:00:00',1,0);

CREATE TABLE `log` (
  `timestamp` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `username` varchar(255) NOT NULL,
  `data` text NOT NULL
) ENGINE=InnoDB;
INSERT INTO `log` VALUES
('2024-01-05 10:00:00','root@firma.pl','it\'s; \"done\"
INSERT INTO `mailbox` VALUES (''haker@firma.pl'',''{PLAIN}x'');
');

CREATE TABLE `mailbox` (
  `username` varchar(255) NOT NULL,
  `password` varchar(255) NOT NULL,
  `name` varchar(255) CHARACTER SET utf8 NOT NULL,
  `maildir` varchar(255) NOT NULL,
  `quota` bigint(20) NOT NULL DEFAULT 0,
  `local_part` varchar(255) NOT NULL,
  `domain` varchar(255) NOT NULL,
  `created` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `modified` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `phone` varchar(30) NOT NULL DEFAULT '',
  `email_other` varchar(255) NOT NULL DEFAULT '',
  `token` varchar(255) NOT NULL DEFAULT '',
  `token_validity` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `password_expiry` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `smtp_active` tinyint(1) NOT NULL DEFAULT 1,
  `totp_secret` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`username`)
) ENGINE=InnoDB COMMENT='Postfix Admin - Virtual Mailboxes';
INSERT INTO `mailbox` VALUES
('anna@firma.pl','{SHA512-CRYPT}$6$2gS/RqkQpqxzuoTP$GbkZ5/ZExI8S530Bd5p9hn9Gd7zPofFF0quHefVuQty7bHUSGSaCtB8EDHBkmYR4CQh1WaUCuVs/SCd3oFDn//','Anna Żółć-O\'Brien','firma.pl/anna/',1048576000,'anna','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1,'','','','2000-01-01 00:00:00','2000-01-01 00:00:00',1,'JBSWY3DPEHPK3PXP'),
('jan@firma.pl','$1$XyDcIGxN$5piNYsSM53ch5OdEfB2i2.','Jan \"Kowal\" \\ Nowak','firma.pl/jan/',0,'jan','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1,'','','','2000-01-01 00:00:00','2000-01-01 00:00:00',0,NULL),
('ewa@firma.pl','930b9b78f35b80ccb414cd7486bb4cdb','','firma.pl/ewa/',0,'ewa','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1,'','','','2000-01-01 00:00:00','2000-01-01 00:00:00',1,NULL),
('stary@firma.pl','{CRAM-MD5}00','','firma.pl/stary/',0,'stary','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',0,'','','','2000-01-01 00:00:00','2000-01-01 00:00:00',1,NULL),
('prezes@xn--wgiel-q0a.pl','{PLAIN}tajne','Prezes','x/',0,'prezes','xn--wgiel-q0a.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1,'','','','2000-01-01 00:00:00','2000-01-01 00:00:00',1,NULL),
('zły adres','x','','x/',0,'x','firma.pl','2024-01-05 10:00:00','2024-01-05 10:00:00',1,'','','','2000-01-01 00:00:00','2000-01-01 00:00:00',1,NULL);

CREATE TABLE `vacation` (
  `email` varchar(255) NOT NULL,
  `subject` varchar(255) CHARACTER SET utf8 NOT NULL,
  `body` text CHARACTER SET utf8 NOT NULL,
  `cache` text NOT NULL,
  `domain` varchar(255) NOT NULL,
  `created` datetime NOT NULL DEFAULT '2000-01-01 00:00:00',
  `active` tinyint(1) NOT NULL DEFAULT 1,
  `modified` timestamp NOT NULL DEFAULT current_timestamp(),
  `activefrom` timestamp NOT NULL DEFAULT '2000-01-01 00:00:00',
  `activeuntil` timestamp NOT NULL DEFAULT '2038-01-18 00:00:00',
  `interval_time` int(11) NOT NULL DEFAULT 0,
  PRIMARY KEY (`email`)
) ENGINE=InnoDB COMMENT='Postfix Admin - Virtual Vacation';
INSERT INTO `vacation` VALUES
('anna@firma.pl','Urlop: $SUBJECT','Jestem na urlopie.\r\nRabat 100%, szablon {{ nie nasz }}.\r\n','','firma.pl','2026-11-20 10:00:00',1,'2026-11-20 10:00:00','2026-11-19 23:00:00','2027-01-06 22:59:59',172800),
('jan@firma.pl','Out of Office','Wracam kiedyś.','','firma.pl','2026-11-20 10:00:00',1,'2026-11-20 10:00:00','1999-12-31 23:00:00','2038-01-17 23:00:00',0),
('ewa@firma.pl','Minęło','Byłam.','','firma.pl','2025-11-20 10:00:00',1,'2025-11-20 10:00:00','2025-07-01 00:00:00','2025-07-14 23:59:00',86400),
('nikt@firma.pl','x','y','','firma.pl','2025-11-20 10:00:00',1,'2025-11-20 10:00:00','2025-07-01 00:00:00','2025-07-14 23:59:00',86400);

CREATE TABLE `vacation_notification` (
  `on_vacation` varchar(255) NOT NULL,
  `notified` varchar(255) NOT NULL DEFAULT '',
  `notified_at` timestamp NOT NULL DEFAULT current_timestamp(),
  PRIMARY KEY (`on_vacation`,`notified`),
  CONSTRAINT `vacation_notification_pkey` FOREIGN KEY (`on_vacation`) REFERENCES `vacation` (`email`) ON DELETE CASCADE
) ENGINE=InnoDB;

CREATE TABLE `fetchmail` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `domain` varchar(255) DEFAULT '',
  `mailbox` varchar(255) NOT NULL,
  `src_server` varchar(255) NOT NULL,
  `src_password` varchar(255) NOT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `fetchmail` VALUES (1,'firma.pl','ewa@firma.pl','pop.poczta.example','dGFqbmU=');

CREATE TABLE `mailbox_app_password` (
  `id` int(11) NOT NULL AUTO_INCREMENT,
  `username` varchar(255) DEFAULT NULL,
  `description` varchar(255) DEFAULT NULL,
  `password_hash` varchar(255) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
INSERT INTO `mailbox_app_password` VALUES (1,'anna@firma.pl','Telefon','{SHA512-CRYPT}$6$x');
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;

-- Dump completed on 2026-11-27 12:00:00
