Subject: x

y
