// Prints the names of the organizations.
const answer = await fetch(new URL("/v2/organizations", process.env.NINJAONE_URL), {
  headers: { "X-Api-Key": process.env.NINJAONE_KEY },
});
const body = await answer.json();
if (answer.ok) {
  for (const { name } of body) console.log(name);
} else {
  // A refusal says why, and its id is what the operator of the proxy asks for.
  console.error(`${body.detail ?? JSON.stringify(body)} (request ${answer.headers.get("x-request-id")})`);
  process.exitCode = 1;
}
