From: "Biuro"
Content-type: text/html; charset=iso-8859-2
Subject: =?utf-8?q?Dzi=C4=99kujemy?=

<html><p>Dziêkujemy za <b>wiadomo¶æ</b>.</p><script>alert(1)</script></html>
