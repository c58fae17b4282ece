#include "shared/session_store.h"

#include "shared/session_end.h"

#include <errno.h>

enum { SESSION_STORE_DIGITS = 16 }; /* of a number in a key */

static void session_store_id_key(struct store_key *key, const struct session_id *id)
{
    store_key_begin(key);
    store_key_plain(key, id->text);
}

void session_store_user_key(struct store_key *key, struct slice issuer, struct slice user)
{
    store_key_begin(key);
    store_key_digest(key, issuer);
    store_key_part(key, user);
}

/* `turn` 0: as earlier programs wrote it. */
static void session_store_expiry_key(struct store_key *key, int64_t expires, uint64_t turn,
                                     const struct session_id *id)
{
    store_key_begin(key);
    store_key_number(key, (uint64_t)expires);
    if (turn > 0)
        store_key_number(key, turn);
    store_key_plain(key, id->text);
}

/* The number that begins a text of hex digits; false when it does not begin with one. */
static bool session_store_number(struct slice text, uint64_t *number)
{
    if (text.size < SESSION_STORE_DIGITS)
        return false;
    *number = 0;
    for (size_t i = 0; i < SESSION_STORE_DIGITS; i++) {
        char digit = text.data[i];

        if (digit >= '0' && digit <= '9')
            *number = *number << 4 | (uint64_t)(digit - '0');
        else if (digit >= 'a' && digit <= 'f')
            *number = *number << 4 | (uint64_t)(digit - 'a' + 10);
        else
            return false;
    }
    return true;
}

int session_store_find(struct store *store, const struct session_id *id, struct session_record *out)
{
    struct store_key key;
    struct slice value;
    int error;

    session_store_id_key(&key, id);
    error = store_get(store, STORE_SESSION, &key, &value);
    return error != 0 ? error : session_record_decode(value, out);
}

int session_store_read(struct store *store, const struct session_id *id, struct store_place *place,
                       struct slice *record)
{
    struct store_key key;

    session_store_id_key(&key, id);
    return store_get_again(store, STORE_SESSION, &key, place, record);
}

/* The sweep of another process may have been there first: what is gone is gone. */
static int session_store_unindex(struct store *store, enum store_database database,
                                 const struct store_key *key)
{
    int error = store_delete(store, database, key);

    return error == -ENOENT ? 0 : error;
}

/* The entry of sessions_by_user tells which turn wrote that of sessions_by_expiry. */
static int session_store_turn(struct store *store, const struct store_key *by_user, uint64_t *turn)
{
    struct slice value;
    int error = store_get(store, STORE_SESSIONS_BY_USER, by_user, &value);

    if (error != 0 || !session_store_number(value, turn))
        *turn = 0;
    return error == -ENOENT ? 0 : error;
}

/* Removes the index entries of what is stored under `id`; 0 too when nothing is. */
static int session_store_forget(struct store *store, const struct session_id *id)
{
    struct store_key by_user, by_expiry;
    struct session_record session;
    uint64_t turn;
    int error = session_store_find(store, id, &session);

    if (error == -ENOENT || error == -EBADMSG)
        return 0;
    if (error != 0)
        return error;
    session_store_user_key(&by_user, session.issuer, session.user);
    store_key_plain(&by_user, id->text);
    error = session_store_turn(store, &by_user, &turn);
    if (error != 0)
        return error;
    session_store_expiry_key(&by_expiry, session.expires, turn, id);
    error = session_store_unindex(store, STORE_SESSIONS_BY_USER, &by_user);
    if (error != 0)
        return error;
    return session_store_unindex(store, STORE_SESSIONS_BY_EXPIRY, &by_expiry);
}

static int session_store_index(struct store *store, const struct session_id *id, int64_t expires,
                               const struct store_key *user)
{
    uint64_t turn = store_write_number(store);
    struct store_key key = *user, mark;
    int error;

    store_key_plain(&key, id->text);
    store_key_begin(&mark);
    store_key_number(&mark, turn);
    error = store_put(store, STORE_SESSIONS_BY_USER, &key, store_key_slice(&mark));
    if (error != 0)
        return error;
    session_store_expiry_key(&key, expires, turn, id);
    return store_put(store, STORE_SESSIONS_BY_EXPIRY, &key, slice_make("1", 1));
}

int session_store_put_record(struct store *store, const struct session_id *id, int64_t expires,
                             const struct store_key *user, struct slice record)
{
    struct store_key key;
    int error;

    session_store_id_key(&key, id);
    error = store_add(store, STORE_SESSION, &key, record);
    if (error == -EEXIST) {
        error = session_store_forget(store, id);
        if (error == 0)
            error = store_put(store, STORE_SESSION, &key, record);
    }
    return error != 0 ? error : session_store_index(store, id, expires, user);
}

int session_store_put(struct store *store, const struct session_id *id,
                      const struct session_record *session)
{
    struct buffer bytes = {0};
    struct store_key user;
    int error = session_record_encode(session, &bytes);

    session_store_user_key(&user, session->issuer, session->user);
    if (error == 0)
        error = session_store_put_record(store, id, session->expires, &user, buffer_slice(&bytes));
    buffer_free(&bytes);
    return error;
}

int session_store_delete(struct store *store, const struct session_id *id)
{
    struct store_key key;
    int error = session_store_forget(store, id);

    session_store_id_key(&key, id);
    return error != 0 ? error : store_delete(store, STORE_SESSION, &key);
}

/* Seconds and id of a key of sessions_by_expiry. */
static bool session_store_expiry_split(struct slice expiry, uint64_t *seconds,
                                       struct session_id *id)
{
    const size_t part = SESSION_STORE_DIGITS + 1;
    uint64_t turn;

    if (!session_store_number(expiry, seconds))
        return false;
    /* Earlier programs wrote no turn. */
    if (expiry.size == 2 * part + SESSION_ID_SIZE && expiry.data[part - 1] == '/' &&
        session_store_number(slice_skip(expiry, part), &turn))
        expiry = slice_skip(expiry, part);
    if (expiry.size != part + SESSION_ID_SIZE || expiry.data[part - 1] != '/')
        return false;
    memcpy(id->text, expiry.data + part, SESSION_ID_SIZE);
    id->text[SESSION_ID_SIZE] = '\0';
    return true;
}

/* What the audit trail is told; without memory it is not. */
static void session_store_tell(const struct session_id *id, const struct session_record *session,
                               struct buffer *ended)
{
    struct buffer record = {0};

    if (session_record_encode(session, &record) == 0)
        (void)session_end_put(ended, SESSION_END_GATE, slice_make(id->text, SESSION_ID_SIZE),
                              buffer_slice(&record));
    buffer_free(&record);
}

int session_store_expire(struct store *store, struct slice expiry, bool *removed,
                         struct buffer *ended)
{
    struct session_record session;
    struct session_id id;
    struct store_key key;
    uint64_t seconds;
    int error;

    *removed = false;
    store_key_begin(&key);
    if (expiry.size > STORE_KEY_MAX)
        return 0;
    memcpy(key.text, expiry.data, expiry.size);
    key.size = expiry.size;
    /* An entry that is no entry of ours leads to no session. */
    if (session_store_expiry_split(expiry, &seconds, &id)) {
        error = session_store_find(store, &id, &session);
        if (error == 0 && (uint64_t)session.expires == seconds && ended != NULL)
            session_store_tell(&id, &session, ended);
        if (error == -EBADMSG || (error == 0 && (uint64_t)session.expires == seconds)) {
            error = session_store_delete(store, &id);
            *removed = error == 0;
        }
        if (error != 0 && error != -ENOENT)
            return error;
    }
    return session_store_unindex(store, STORE_SESSIONS_BY_EXPIRY, &key);
}

struct session_count {
    size_t count;
    size_t limit;
};

static int session_store_count(void *context, struct slice key, struct slice value)
{
    struct session_count *count = context;

    (void)key;
    (void)value;
    return ++count->count >= count->limit;
}

int session_store_count_user(struct store *store, const struct store_key *user, size_t limit,
                             size_t *count)
{
    struct session_count counted = {.limit = limit};
    struct store_key key = *user;
    int result;

    *count = 0;
    if (limit == 0)
        return 0;
    store_key_plain(&key, "");
    result = store_scan(store, STORE_SESSIONS_BY_USER, store_key_slice(&key), slice_make(NULL, 0),
                        session_store_count, &counted);
    *count = counted.count;
    return result < 0 ? result : 0;
}
