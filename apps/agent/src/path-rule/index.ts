export { RULE_SCRIPT, ruleIn } from './rule-of-source.js';
