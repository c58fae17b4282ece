#include "shared/session_store.h"

#include "shared/session_end.h"

#include <errno.h>

enum { SESSION_STORE_PLACE = 2 * SESSION_STORE_DIGITS + 1 }; /* bytes of seconds/turn */

/* What the indexes have of an id. */
static void session_store_append_id(struct store_key *key, const struct session_id *id)
{
    char cut[SESSION_STORE_ID_SIZE + 1];

    memcpy(cut, id->text, SESSION_STORE_ID_SIZE);
    cut[SESSION_STORE_ID_SIZE] = '\0';
    store_key_plain(key, cut);
}

static void session_store_id_key(struct store_key *key, const struct session_id *id)
{
    store_key_begin(key);
    session_store_append_id(key, id);
}

void session_store_user_key(struct store_key *key, struct slice issuer, struct slice user)
{
    char hex[DIGEST_HEX_SIZE + 1];
    struct digest digest;

    digest_of(issuer, &digest);
    digest_hex(&digest, hex);
    hex[SESSION_STORE_DIGITS] = '\0';
    store_key_begin(key);
    store_key_plain(key, hex);
    store_key_part(key, user);
}

static void session_store_place_key(struct store_key *key, const struct session_place *place)
{
    store_key_begin(key);
    store_key_number(key, place->seconds);
    store_key_number(key, place->turn);
}

static void session_store_record_key(struct store_key *key, const struct session_place *place,
                                     const struct session_id *id)
{
    session_store_place_key(key, place);
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

/* The place that begins a text. */
static bool session_store_split(struct slice text, struct session_place *place)
{
    *place = (struct session_place){0};
    return text.size >= SESSION_STORE_PLACE && text.data[SESSION_STORE_DIGITS] == '/' &&
           session_store_number(text, &place->seconds) &&
           session_store_number(slice_skip(text, SESSION_STORE_DIGITS + 1), &place->turn);
}

static bool session_store_key_split(struct slice key, struct session_place *place,
                                    struct session_id *id)
{
    if (key.size != SESSION_STORE_PLACE + 1 + SESSION_ID_SIZE ||
        key.data[SESSION_STORE_PLACE] != '/' || !session_store_split(key, place) ||
        memchr(key.data, '\0', key.size) != NULL)
        return false;
    memcpy(id->text, key.data + SESSION_STORE_PLACE + 1, SESSION_ID_SIZE);
    id->text[SESSION_ID_SIZE] = '\0';
    return true;
}

bool session_store_key_id(struct slice key, struct session_id *id)
{
    struct session_place place;

    return session_store_key_split(key, &place, id);
}

/* Where the session of that id stands. -ENOENT, -EBADMSG. */
static int session_store_locate(struct store *store, const struct session_id *id,
                                struct session_place *place)
{
    struct store_key key;
    struct slice value;
    int error;

    session_store_id_key(&key, id);
    error = store_get(store, STORE_SESSIONS_BY_ID, &key, &value);
    if (error != 0)
        return error;
    return value.size == SESSION_STORE_PLACE && session_store_split(value, place) ? 0 : -EBADMSG;
}

int session_store_find(struct store *store, const struct session_id *id, struct session_record *out)
{
    struct session_place place;
    struct store_key key;
    struct slice value;
    int error = session_store_locate(store, id, &place);

    if (error != 0)
        return error;
    session_store_record_key(&key, &place, id);
    error = store_get(store, STORE_SESSION, &key, &value);
    return error != 0 ? error : session_record_decode(value, out);
}

static int session_store_read_at(struct store *store, const struct session_id *id,
                                 struct session_place *place, struct slice *record)
{
    struct store_key key;

    session_store_record_key(&key, place, id);
    return store_get_again(store, STORE_SESSION, &key, &place->found, record);
}

/* A session that moved left nothing where it was: a turn writes an id once. */
int session_store_read(struct store *store, const struct session_id *id,
                       struct session_place *place, struct slice *record)
{
    int error = place->turn == 0 ? -ENOENT : session_store_read_at(store, id, place, record);

    if (error != -ENOENT)
        return error;
    error = session_store_locate(store, id, place);
    return error != 0 ? error : session_store_read_at(store, id, place, record);
}

struct session_search {
    struct store *store;
    struct slice prefix; /* of ids */
    store_visit visit;
    void *context;
};

static int session_store_search_at(void *context, struct slice key, struct slice value)
{
    const struct session_search *search = context;
    struct slice id = key.size > search->prefix.size ? key : search->prefix;
    struct session_place place;
    struct store_key first;
    char text[SESSION_ID_SIZE + 1];

    if (id.size > SESSION_ID_SIZE || !session_store_split(value, &place))
        return 0;
    memcpy(text, id.data, id.size);
    text[id.size] = '\0';
    session_store_place_key(&first, &place);
    store_key_plain(&first, text);
    return store_scan(search->store, STORE_SESSION, store_key_slice(&first), slice_make(NULL, 0),
                      search->visit, search->context);
}

int session_store_search(struct store *store, const char *prefix, store_visit visit, void *context)
{
    struct session_search search = {store, slice_from(prefix), visit, context};
    struct slice cut = search.prefix;

    if (cut.size > SESSION_STORE_ID_SIZE)
        cut.size = SESSION_STORE_ID_SIZE;
    return store_scan(store, STORE_SESSIONS_BY_ID, cut, slice_make(NULL, 0),
                      session_store_search_at, &search);
}

static void session_store_user_entry(struct store_key *key, uint64_t turn,
                                     const struct session_id *id)
{
    store_key_number(key, turn);
    session_store_append_id(key, id);
}

/* Removes the record that stands there, and its entry by user. -ENOENT. */
static int session_store_forget(struct store *store, const struct session_id *id,
                                const struct session_place *place)
{
    struct session_record session;
    struct store_key key, by_user;
    struct slice value;
    int error;

    session_store_record_key(&key, place, id);
    error = store_get(store, STORE_SESSION, &key, &value);
    if (error == 0 && session_record_decode(value, &session) == 0) {
        session_store_user_key(&by_user, session.issuer, session.user);
        session_store_user_entry(&by_user, place->turn, id);
        error = store_delete(store, STORE_SESSIONS_BY_USER, &by_user);
        /* What is gone is gone. */
        if (error == -ENOENT)
            error = 0;
    }
    return error != 0 ? error : store_delete(store, STORE_SESSION, &key);
}

/* The entry by id, in one walk when it is new, as it mostly is. */
static int session_store_enter(struct store *store, const struct session_id *id, struct slice place)
{
    struct session_place before;
    struct store_key key;
    int error;

    session_store_id_key(&key, id);
    error = store_add(store, STORE_SESSIONS_BY_ID, &key, place);
    if (error != -EEXIST)
        return error;
    error = session_store_locate(store, id, &before);
    if (error == 0)
        error = session_store_forget(store, id, &before);
    if (error == -ENOENT || error == -EBADMSG)
        error = 0;
    return error != 0 ? error : store_put(store, STORE_SESSIONS_BY_ID, &key, place);
}

int session_store_put_record(struct store *store, const struct session_id *id, int64_t expires,
                             const struct store_key *user, struct slice record)
{
    struct session_place place = {.seconds = (uint64_t)expires, .turn = store_write_number(store)};
    struct store_key key, by_user = *user;
    int error;

    session_store_place_key(&key, &place);
    error = session_store_enter(store, id, store_key_slice(&key));
    if (error != 0)
        return error;
    store_key_plain(&key, id->text);
    error = store_put(store, STORE_SESSION, &key, record);
    if (error != 0)
        return error;
    session_store_user_entry(&by_user, place.turn, id);
    return store_put(store, STORE_SESSIONS_BY_USER, &by_user, slice_make("1", 1));
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
    struct session_place place;
    struct store_key key;
    int error = session_store_locate(store, id, &place);

    if (error == 0)
        error = session_store_forget(store, id, &place);
    session_store_id_key(&key, id);
    return error != 0 ? error : store_delete(store, STORE_SESSIONS_BY_ID, &key);
}

/* What the audit trail is told; without memory it is not. */
static int session_store_tell(struct store *store, const struct session_id *id,
                              const struct store_key *key, struct buffer *ended)
{
    struct session_record session;
    struct slice record;
    int error = store_get(store, STORE_SESSION, key, &record);

    if (error == 0 && session_record_decode(record, &session) == 0)
        (void)session_end_put(ended, SESSION_END_GATE, slice_make(id->text, SESSION_ID_SIZE),
                              record);
    return error;
}

/* An entry where its session stands, and the session; or one that no index leads to. */
static int session_store_end(struct store *store, const struct store_key *key, bool *removed,
                             struct buffer *ended)
{
    struct session_place place, stands;
    struct session_id id;
    int error;

    if (!session_store_key_split(store_key_slice(key), &place, &id))
        return store_delete(store, STORE_SESSION, key);
    error = session_store_locate(store, &id, &stands);
    if (error != 0 && error != -ENOENT && error != -EBADMSG)
        return error;
    if (error != 0 || stands.seconds != place.seconds || stands.turn != place.turn)
        return session_store_forget(store, &id, &place);
    error = ended == NULL ? 0 : session_store_tell(store, &id, key, ended);
    if (error == 0)
        error = session_store_delete(store, &id);
    *removed = error == 0;
    return error;
}

int session_store_expire(struct store *store, struct slice key, bool *removed, struct buffer *ended)
{
    struct store_key entry;
    int error;

    *removed = false;
    store_key_begin(&entry);
    if (key.size > STORE_KEY_MAX)
        return 0;
    memcpy(entry.text, key.data, key.size);
    entry.size = key.size;
    error = session_store_end(store, &entry, removed, ended);
    /* The sweep of another process may have been there first: what is gone is gone. */
    return error == -ENOENT ? 0 : error;
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
