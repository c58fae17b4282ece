/* certificate_example.h: PEM texts for tests: a certificate that is good until 2126, one that has
 * expired, their key, it again with a password, and a key of neither. */
#ifndef GATEHOUSE_TESTS_CERTIFICATE_EXAMPLE_H
#define GATEHOUSE_TESTS_CERTIFICATE_EXAMPLE_H

#define EXAMPLE_CERTIFICATE                                              \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBjTCCATOgAwIBAgIUIlBuPY3AYQQa/s2rkOgVTu/X5zIwCgYIKoZIzj0EAwIw\n" \
    "GzEZMBcGA1UEAwwQZ2F0ZS5leGFtcGxlLmNvbTAgFw0yNjExMjMwMjI0MDRaGA8y\n" \
    "MTI2MTAzMDAyMjQwNFowGzEZMBcGA1UEAwwQZ2F0ZS5leGFtcGxlLmNvbTBZMBMG\n" \
    "ByqGSM49AgEGCCqGSM49AwEHA0IABOucb2S8EyqnnVzD5Z7lm7uH04YS42LrCT4F\n" \
    "QOopF4JDdd0ttb78PVh8hquqls8dA0QrSsTuL8tX2rKAK+a9GLmjUzBRMB0GA1Ud\n" \
    "DgQWBBSTR7M5iMYId9AC8dUcGrKw2MOLtzAfBgNVHSMEGDAWgBSTR7M5iMYId9AC\n" \
    "8dUcGrKw2MOLtzAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIHSM\n" \
    "i5AW9hFP9OtJs2lZJu1PyQZJFx13qBKRi5pdf7VUAiEAsLtW2Z5S6j94WffOrq4v\n" \
    "VfTxPxKdXtx5ykvqQ0XgZjM=\n"                                         \
    "-----END CERTIFICATE-----\n"

#define EXAMPLE_EXPIRED                                                  \
    "-----BEGIN CERTIFICATE-----\n"                                      \
    "MIIBMDCB1wIUeIcRBHQToSMYuhC6/HouvFq3lVkwCgYIKoZIzj0EAwIwGzEZMBcG\n" \
    "A1UEAwwQZ2F0ZS5leGFtcGxlLmNvbTAeFw0yNjExMjMwMjI0MDVaFw0yNjExMjIw\n" \
    "MjI0MDVaMBsxGTAXBgNVBAMMEGdhdGUuZXhhbXBsZS5jb20wWTATBgcqhkjOPQIB\n" \
    "BggqhkjOPQMBBwNCAATrnG9kvBMqp51cw+We5Zu7h9OGEuNi6wk+BUDqKReCQ3Xd\n" \
    "LbW+/D1YfIarqpbPHQNEK0rE7i/LV9qygCvmvRi5MAoGCCqGSM49BAMCA0gAMEUC\n" \
    "ID01x2XNkvClNrWlp8qL0WbsLpmC9y8HLsfeG8uyBhwdAiEA7aTqZjr5LibbbnbJ\n" \
    "fGm+crsv1cz/GV4o2WddOqA7LwM=\n"                                     \
    "-----END CERTIFICATE-----\n"

#define EXAMPLE_KEY                                                      \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgA0ZXXL4EXRn7djEs\n" \
    "XzC0yubtT4OX1euR34Lj05HCmzOhRANCAATrnG9kvBMqp51cw+We5Zu7h9OGEuNi\n" \
    "6wk+BUDqKReCQ3XdLbW+/D1YfIarqpbPHQNEK0rE7i/LV9qygCvmvRi5\n"         \
    "-----END PRIVATE KEY-----\n"

#define EXAMPLE_LOCKED_KEY                                               \
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"                            \
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiYZl322pqfiwICCAAw\n" \
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELcyChDGsUTJk2Bt1Lx9VBwEgZBw\n" \
    "jkidMm4S3SMPv5k91+ftXU0vejl4jxLVfi6mAsfKwRKSTImgO3AYNoeNaHCZFjmv\n" \
    "Z9uC624bHgx08jnQr8c5ziqDjfgPnlyLX+Ff31zHu/eAtT9MXXy0+m583qMW+BNN\n" \
    "KoDjlMch/q/6q3Kh1xK6eOGqVN1NGxyqfSAVznB32j3opZ8CnHYp6W1IvHR8GOg=\n" \
    "-----END ENCRYPTED PRIVATE KEY-----\n"

#define EXAMPLE_OTHER_KEY                                                \
    "-----BEGIN PRIVATE KEY-----\n"                                      \
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgxR8hDkmi3IHOF559\n" \
    "9TM5AZIkTvbCHtCqRh5W8DZoFKqhRANCAAS+gM0uqFcP1ynZwQHUxZcJjdxLYsXp\n" \
    "Ibo6m6Sg60zdawGD56XIuPY8Dc7L2S3C+pw7yMV/MjrvIQ+3tsOYf7TY\n"         \
    "-----END PRIVATE KEY-----\n"

#endif
