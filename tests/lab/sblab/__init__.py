# SPDX-License-Identifier: GPL-3.0-or-later
"""The smtpblame lab: networks of namespaces in which every kind of block can be staged."""
