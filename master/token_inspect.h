/* token_inspect.h: `gatehouse token inspect`: what a token says, and whether a key set bears it
 * out.
 *
 * Called by token_command. Shows header and claims of refused tokens, too, and why they are
 * refused. Never prints the signature.
 */
#ifndef GATEHOUSE_MASTER_TOKEN_INSPECT_H
#define GATEHOUSE_MASTER_TOKEN_INSPECT_H

/* The arguments after `inspect`. The exit status: 1 when the token would be refused for its form,
 * or its signature is not right by the key set. */
int token_inspect(int argc, char **argv);

#endif
