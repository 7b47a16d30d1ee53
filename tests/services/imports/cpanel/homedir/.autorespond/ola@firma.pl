Subject: nieczynny

nie
