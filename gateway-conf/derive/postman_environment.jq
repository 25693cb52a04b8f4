# Where the collection's requests go: a shop that `make run` has started.

{
	name: "Souk, on this machine",
	values: [
		{key: "baseUrl", value: "http://127.0.0.1:8080", type: "default", enabled: true},
		{key: "simulatorUrl", value: "http://127.0.0.1:12111", type: "default", enabled: true},
		{key: "publishableKey", value: "pk_test_demo", type: "default", enabled: true},
		{key: "adminToken", value: "", type: "secret", enabled: true},
		{key: "serviceToken", value: "", type: "secret", enabled: true},
		{key: "stripeSignature", value: "", type: "secret", enabled: true}
	],
	_postman_variable_scope: "environment"
}
