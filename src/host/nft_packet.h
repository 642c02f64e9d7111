/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Inside host/: the SYN of a watch and its answer, as far as they are known before they exist. */
#ifndef SB_HOST_NFT_PACKET_H
#define SB_HOST_NFT_PACKET_H

#include "host/nft_eval.h"

/* Borrows w. What can't be found out stays unknown. */
void nft_surroundings_read(struct nft_surroundings *s, const struct host_watch *w);

/* Borrows all. */
void nft_packet_syn(struct nft_packet *p, const struct nft_surroundings *host,
		    struct nft_ruleset *rules, struct arena *text, uint16_t rport);

/* What comes back to a SYN that left as *syn. snatted: perhaps with another source. */
void nft_packet_answer(struct nft_packet *p, const struct nft_packet *syn, bool snatted,
		       uint16_t rport);

/* Perhaps sent elsewhere by what p->doing says: sure or with this doubt. */
void nft_packet_turn(struct nft_packet *p, const char *doubt);

/* Whose source (SYN) or destination (answer) is perhaps another one from now on. */
void nft_packet_hide_own(struct nft_packet *p, const char *why);
/* The answer is translated back. */
void nft_packet_restore_own(struct nft_packet *p);

#endif
