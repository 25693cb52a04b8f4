/*
 * A test of one of the OWASP API Security Top 10 of 2023, named after it.
 */
import { test } from 'node:test';

const RISKS = ['Broken Object Level Authorization', 'Broken Authentication',
    'Broken Object Property Level Authorization', 'Unrestricted Resource Consumption',
    'Broken Function Level Authorization', 'Unrestricted Access to Sensitive Business Flows',
    'Server Side Request Forgery', 'Security Misconfiguration', 'Improper Inventory Management',
    'Unsafe Consumption of APIs'];

export const risk = (number) => (name, work) =>
	test(`API${number}:2023 ${RISKS[number - 1]}: ${name}`, work);
