// What is said on nodes.
export default {};
