anna@firma.pl: anna@firma.pl,"|/usr/local/cpanel/bin/autorespond anna@firma.pl /home/firma/.autorespond"
jan@firma.pl: jan@firma.pl, "|/usr/local/cpanel/bin/autorespond jan@firma.pl /home/firma/.autorespond"
ewa@firma.pl: ewa@firma.pl, "|/usr/local/cpanel/bin/autorespond ewa@firma.pl /home/firma/.autorespond"
biuro@firma.pl: anna@firma.pl,jan@firma.pl,obcy@poczta.example
sklep@firma.pl: "|/usr/bin/php -q /home/firma/sklep.php"
nikt@firma.pl: :blackhole:
*: ":fail: No Such User Here"
