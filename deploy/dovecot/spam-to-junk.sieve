# @MADE_BY@
# What the spam filter marked (setting SPAM_FIELDS) goes to Junk, and no rule of the owner's sees it: nothing of it is
# redirected elsewhere.
require ["fileinto", "mailbox"];

if anyof (
    @SPAM_TESTS@
) {
    fileinto :create "Junk";
    stop;
}
