/* session_example.h: a session with every field set. For tests of sessions. */
#ifndef GATEHOUSE_TESTS_UNIT_SHARED_SESSION_EXAMPLE_H
#define GATEHOUSE_TESTS_UNIT_SHARED_SESSION_EXAMPLE_H

#include "shared/session_record.h"
#include "shared/store.h"

#include <stdio.h>

/* The key in `sessions` of what the last transaction put. */
static inline void session_example_key(struct store *store, const struct session_id *id,
                                       int64_t expires, char key[128])
{
    snprintf(key, 128, "%016llx/%016llx/%s", (unsigned long long)expires,
             (unsigned long long)store_last_write(store), id->text);
}

static inline struct session_record session_example(void)
{
    return (struct session_record){
        .app = slice_from("weather"),
        .config = slice_from("corp"),
        .revision = 7,
        .issuer = slice_from("https://idp.example.com"),
        .audiences = {slice_from("gate"), slice_from("other")},
        .audience_count = 2,
        .kid = slice_from("k1"),
        .key_thumbprint =
            slice_from("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        .algorithm = slice_from("RS256"),
        .issued_at = 1790000000,
        .not_before = 1789999999,
        .expires_at = 1790000600,
        .expires = 1790000660,
        .created = 1790000001,
        .scopes = {slice_from("mcp")},
        .scope_count = 1,
        .claims = {{slice_from("groups"), slice_from("[\"dev\"]")}},
        .claim_count = 1,
        .user = slice_from("alice@example.com"),
        .subject = slice_from("00u1"),
        .roles = {slice_from("access")},
        .role_count = 1,
        .jti = slice_from("j-1"),
        .signing_input =
            slice_from("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        .client_address = slice_from("192.0.2.7"),
    };
}

#endif
