/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Names of the numbers in a TLS handshake, as OpenSSL writes them. */
#include <stdio.h>

#include "diag/capture_words.h"

const char *capture_tls_version(unsigned version)
{
	switch (version) {
	case 0x0300: return "SSLv3";
	case 0x0301: return "TLSv1";
	case 0x0302: return "TLSv1.1";
	case 0x0303: return "TLSv1.2";
	case 0x0304: return "TLSv1.3";
	}
	return NULL;
}

/* Those that mail servers of this century choose (IANA TLS Cipher Suites). */
static const struct {
	uint16_t number;
	const char *name;
} ciphers[] = {
	{0x1301, "TLS_AES_128_GCM_SHA256"},
	{0x1302, "TLS_AES_256_GCM_SHA384"},
	{0x1303, "TLS_CHACHA20_POLY1305_SHA256"},
	{0xc02b, "ECDHE-ECDSA-AES128-GCM-SHA256"},
	{0xc02c, "ECDHE-ECDSA-AES256-GCM-SHA384"},
	{0xc02f, "ECDHE-RSA-AES128-GCM-SHA256"},
	{0xc030, "ECDHE-RSA-AES256-GCM-SHA384"},
	{0xcca8, "ECDHE-RSA-CHACHA20-POLY1305"},
	{0xcca9, "ECDHE-ECDSA-CHACHA20-POLY1305"},
	{0xc013, "ECDHE-RSA-AES128-SHA"},
	{0xc014, "ECDHE-RSA-AES256-SHA"},
	{0xc023, "ECDHE-ECDSA-AES128-SHA256"},
	{0xc024, "ECDHE-ECDSA-AES256-SHA384"},
	{0xc027, "ECDHE-RSA-AES128-SHA256"},
	{0xc028, "ECDHE-RSA-AES256-SHA384"},
	{0xc009, "ECDHE-ECDSA-AES128-SHA"},
	{0xc00a, "ECDHE-ECDSA-AES256-SHA"},
	{0xc012, "ECDHE-RSA-DES-CBC3-SHA"},
	{0x009e, "DHE-RSA-AES128-GCM-SHA256"},
	{0x009f, "DHE-RSA-AES256-GCM-SHA384"},
	{0xccaa, "DHE-RSA-CHACHA20-POLY1305"},
	{0x0033, "DHE-RSA-AES128-SHA"},
	{0x0039, "DHE-RSA-AES256-SHA"},
	{0x0067, "DHE-RSA-AES128-SHA256"},
	{0x006b, "DHE-RSA-AES256-SHA256"},
	{0x0016, "DHE-RSA-DES-CBC3-SHA"},
	{0x0088, "DHE-RSA-CAMELLIA256-SHA"},
	{0x009c, "AES128-GCM-SHA256"},
	{0x009d, "AES256-GCM-SHA384"},
	{0x002f, "AES128-SHA"},
	{0x0035, "AES256-SHA"},
	{0x003c, "AES128-SHA256"},
	{0x003d, "AES256-SHA256"},
	{0x000a, "DES-CBC3-SHA"},
	{0x0005, "RC4-SHA"},
	{0x0004, "RC4-MD5"},
	{0xc011, "ECDHE-RSA-RC4-SHA"},
	{0xc018, "AECDH-AES128-SHA"},
	{0xc019, "AECDH-AES256-SHA"},
	{0x0034, "ADH-AES128-SHA"},
	{0x003a, "ADH-AES256-SHA"},
	{0x00a7, "ADH-AES256-GCM-SHA384"},
};

const char *capture_tls_cipher(struct arena *a, unsigned cipher)
{
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (ciphers[i].number == cipher)
			return ciphers[i].name;
	return cipher ? arena_printf(a, "0x%04x", cipher) : NULL;
}

/* RFC 8446 section 6, RFC 5246 section 7.2 */
const char *capture_tls_alert(unsigned description)
{
	switch (description) {
	case 10: return "unexpected message";
	case 20: return "bad record MAC";
	case 22: return "record overflow";
	case 40: return "handshake failure";
	case 42: return "bad certificate";
	case 43: return "unsupported certificate";
	case 44: return "certificate revoked";
	case 45: return "certificate expired";
	case 46: return "certificate unknown";
	case 47: return "illegal parameter";
	case 48: return "unknown certificate authority";
	case 49: return "access denied";
	case 50: return "decode error";
	case 51: return "decrypt error";
	case 70: return "protocol version";
	case 71: return "insufficient security";
	case 80: return "internal error";
	case 86: return "inappropriate fallback";
	case 109: return "missing extension";
	case 112: return "unrecognized name";
	case 116: return "certificate required";
	case 120: return "no application protocol";
	}
	return NULL;
}
