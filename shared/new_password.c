#include "new_password.h"
#include "common_passwords.h"

bool
new_password_is_acceptable(struct req *rq, const char *field, const char *password)
{
	if (!password_is_common(password))
		return true;
	fail_field(rq, field, "too_common", "Is one of the passwords that are guessed first");
	return false;
}
