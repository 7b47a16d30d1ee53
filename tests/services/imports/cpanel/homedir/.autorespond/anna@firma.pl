From: "Anna Nowak" <anna@firma.pl>
Content-Type: text/plain; charset=utf-8
Subject: Re: %subject%

Dzień dobry %from% (%email%),

jestem na urlopie. Rabat 100%, {{ literalnie }}.
