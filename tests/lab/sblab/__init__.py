"""The smtpblame lab: networks of namespaces in which every kind of block can be staged."""
