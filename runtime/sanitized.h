/*
 * sanitized.h -- defines SANITIZED where AddressSanitizer is built in; gcc and
 * clang say so in different ways.
 */
#ifndef SANITIZED_H
#define SANITIZED_H

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED
#endif
#endif

#endif
