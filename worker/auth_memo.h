/* auth_memo.h: what a connection remembers of its last token, so that the same header costs no
 * hash.
 *
 * Remembers an id, and nothing that was decided: the session is judged each time. A zeroed memo is
 * empty. Holds a token, which is overwritten before its memory is given back.
 */
#ifndef GATEHOUSE_WORKER_AUTH_MEMO_H
#define GATEHOUSE_WORKER_AUTH_MEMO_H

#include "shared/session_record.h"

struct auth_memo {
    struct auth_memo_token *token; /* private; owned: an idle stream has none */
};

/* The session id of a token at an app, from the memo or made and remembered. `memo` may be NULL. */
void auth_memo_id(struct auth_memo *memo, struct slice app, struct slice token,
                  struct session_id *id);
void auth_memo_free(struct auth_memo *memo);

#endif
