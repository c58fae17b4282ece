/* token_mint.h: `gatehouse token mint`: a signed JSON Web Token (RFC 7519) on one line.
 *
 * Called by token_command. Mints whatever it is asked, expired and odd tokens too: it is for
 * trying what the gateway does with them.
 */
#ifndef GATEHOUSE_MASTER_TOKEN_MINT_H
#define GATEHOUSE_MASTER_TOKEN_MINT_H

/* The arguments after `mint`. The exit status. */
int token_mint(int argc, char **argv);

#endif
