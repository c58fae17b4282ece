#include "worker/auth_memo.h"

#include <stdlib.h>

struct auth_memo_token {
    struct session_id id;
    size_t size;
    char bytes[]; /* app, NUL, token; compared in full */
};

static bool memo_is(const struct auth_memo_token *kept, struct slice app, struct slice token)
{
    if (kept == NULL || kept->size != app.size + 1 + token.size)
        return false;
    /* The app's bytes and the NUL keep a token from being taken for another split of the same run.
     */
    return slice_equal(slice_make(kept->bytes, app.size), app) && kept->bytes[app.size] == '\0' &&
           digest_equal_secret(slice_make(kept->bytes + app.size + 1, token.size), token);
}

/* Without memory the memo is empty, and the next request makes its own hash. */
static void memo_keep(struct auth_memo *memo, struct slice app, struct slice token,
                      const struct session_id *id)
{
    size_t size = app.size + 1 + token.size;
    struct auth_memo_token *kept;

    auth_memo_free(memo);
    kept = malloc(sizeof(*kept) + size);
    if (kept == NULL)
        return;
    kept->id = *id;
    kept->size = size;
    memcpy(kept->bytes, app.data, app.size);
    kept->bytes[app.size] = '\0';
    memcpy(kept->bytes + app.size + 1, token.data, token.size);
    memo->token = kept;
}

void auth_memo_id(struct auth_memo *memo, struct slice app, struct slice token,
                  struct session_id *id)
{
    if (memo != NULL && memo_is(memo->token, app, token)) {
        *id = memo->token->id;
        return;
    }
    session_id_make(id, SESSION_KIND_JWT, app, token);
    if (memo != NULL)
        memo_keep(memo, app, token, id);
}

void auth_memo_free(struct auth_memo *memo)
{
    if (memo->token == NULL)
        return;
    explicit_bzero(memo->token->bytes, memo->token->size);
    free(memo->token);
    memo->token = NULL;
}
