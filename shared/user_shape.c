#include "user_shape.h"

const struct shape user_shape = {
	.name = "User",
	.doc = "An account, without anything secret",
	.fields = FIELDS(
		OUT(id,             ID,    "The account", .example = "1"),
		OUT(email,          EMAIL, "Its e-mail address, in lower case",
		    .example = "\"customer@souk.example\""),
		OUT(first_name,     STR,   "First name", .nullable = true, .example = "\"Amina\""),
		OUT(last_name,      STR,   "Last name", .nullable = true, .example = "\"Idrissi\""),
		OUT(role,           CHOICE, "What the account may do",
		    .choices = CHOICES("customer", "seller", "admin"), .example = "\"customer\""),
		OUT(is_active,      BOOL,  "False: it cannot sign in", .example = "true"),
		OUT(email_verified, BOOL,  "The address is known to be theirs", .example = "false"),
		OUT(created_at,     TIME,  "When it was made"),
		OUT(updated_at,     TIME,  "When it last changed")),
};
