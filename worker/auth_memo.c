#include "worker/auth_memo.h"

#include <stdlib.h>

static bool auth_memo_is(const struct auth_memo *memo, struct slice app, struct slice token)
{
    if (memo->bytes == NULL || memo->size != app.size + 1 + token.size)
        return false;
    /* The app's bytes and the NUL keep a token from being taken for another split of the same run.
     */
    return slice_equal(slice_make(memo->bytes, app.size), app) && memo->bytes[app.size] == '\0' &&
           digest_equal_secret(slice_make(memo->bytes + app.size + 1, token.size), token);
}

/* Without memory the memo is empty, and the next request makes its own hash. */
static void auth_memo_keep(struct auth_memo *memo, struct slice app, struct slice token)
{
    auth_memo_free(memo);
    memo->bytes = malloc(app.size + 1 + token.size);
    if (memo->bytes == NULL)
        return;
    memo->size = app.size + 1 + token.size;
    memcpy(memo->bytes, app.data, app.size);
    memo->bytes[app.size] = '\0';
    memcpy(memo->bytes + app.size + 1, token.data, token.size);
}

void auth_memo_id(struct auth_memo *memo, struct slice app, struct slice token,
                  struct session_id *id)
{
    if (memo != NULL && auth_memo_is(memo, app, token)) {
        *id = memo->id;
        return;
    }
    session_id_make(id, SESSION_KIND_JWT, app, token);
    if (memo == NULL)
        return;
    auth_memo_keep(memo, app, token);
    memo->id = *id;
}

void auth_memo_free(struct auth_memo *memo)
{
    if (memo->bytes != NULL)
        explicit_bzero(memo->bytes, memo->size);
    free(memo->bytes);
    *memo = (struct auth_memo){0};
}
