/* token_keygen.h: `gatehouse token keygen`: a new private key and its public key set.
 *
 * Called by token_command. Never overwrites a key: files are created exclusively.
 */
#ifndef GATEHOUSE_MASTER_TOKEN_KEYGEN_H
#define GATEHOUSE_MASTER_TOKEN_KEYGEN_H

/* The arguments after `keygen`. The exit status. */
int token_keygen(int argc, char **argv);

#endif
