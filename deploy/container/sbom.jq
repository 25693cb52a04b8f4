# An SPDX 2.3 document of the Debian packages that files of an image are from,
# and of Souk itself; one package a line on input.
def id: "SPDXRef-" + gsub("[^A-Za-z0-9.-]"; "-");

[split("\n")[] | select(. != "") | split("\t")
	| {name: .[0], version: .[1], arch: .[2]}] as $packages
| {
	spdxVersion: "SPDX-2.3",
	dataLicense: "CC0-1.0",
	SPDXID: "SPDXRef-DOCUMENT",
	name: "souk-\($name)",
	documentNamespace: "https://spdx.org/spdxdocs/souk-\($name)-\($packages | map("\(.name)=\(.version)") | join(",") | @base64 | .[0:24] | gsub("[+/=]"; "_"))",
	creationInfo: {created: "1970-01-01T00:00:00Z", creators: ["Tool: souk-deploy-container-collect"]},
	packages: ([{
		name: "souk-\($name)", SPDXID: "SPDXRef-Souk", downloadLocation: "NOASSERTION",
		filesAnalyzed: false, licenseConcluded: "NOASSERTION", copyrightText: "NOASSERTION"
	}] + [$packages[] | {
		name, SPDXID: (.name | id), versionInfo: .version, supplier: "Organization: Debian",
		downloadLocation: "NOASSERTION", filesAnalyzed: false,
		licenseConcluded: "NOASSERTION", copyrightText: "NOASSERTION",
		externalRefs: [{referenceCategory: "PACKAGE-MANAGER", referenceType: "purl",
			referenceLocator: "pkg:deb/debian/\(.name)@\(.version | @uri)?arch=\(.arch)"}]
	}]),
	relationships: ([{spdxElementId: "SPDXRef-DOCUMENT", relationshipType: "DESCRIBES",
		relatedSpdxElement: "SPDXRef-Souk"}]
		+ [$packages[] | {spdxElementId: "SPDXRef-Souk", relationshipType: "CONTAINS",
			relatedSpdxElement: (.name | id)}])
}
