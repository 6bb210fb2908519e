// Organizations and the account of who is logged in.
import { equal, eventually, ok, refused, scenario, unique } from '../play.mjs';

scenario('an organization is made, renamed, listed and deleted', async (world) => {
  const { api } = await world.person();
  const made = await api.createOrganization({ name: unique('Acme'), plan: 'FREE' });
  await eventually(() => api.listOrganization(), (all) => all.results.some((one) => one.id === made.id));
  await eventually(() => api.getOrganization(made.id).catch(() => null), (one) => one?.name === made.name);
  const renamed = await api.editOrganization(made.id, { name: unique('Acme again'), description: 'ours' });
  equal(renamed.description, 'ours');
  equal((await api.getOrganization(made.id)).name, renamed.name);
  await api.deleteOrganization(made.id);
  await refused(api.getOrganization(made.id), 404);
});

scenario('an organization with projects stays', async (world) => {
  await world.environment();
  const problem = await refused(world.api.deleteOrganization(world.organizationId), 409, 'in_use');
  ok(problem.used_by.length > 0);
});

scenario('somebody sees and edits their account', async (world) => {
  const { api, email } = await world.person('viewer');
  const account = await api.getAccountInformation();
  equal(account.communication_email, email);
  const edited = await api.editAccountInformation({ ...account, communication_email: `new-${email}` });
  equal(edited.communication_email, `new-${email}`);
  equal((await api.getAccountInformation()).communication_email, `new-${email}`);
});

scenario('the audit log tells what was done', async (world) => {
  const project = await world.project();
  await world.api.editProject(project.id, { name: project.name, description: 'told' });
  const about = (...more) => world.api.getOrganizationEvents(world.organizationId, 10, undefined, undefined, ...more);
  const seen = await about(undefined, undefined, undefined, 'PROJECT', project.id);
  equal(seen.events.map((event) => event.event_type), ['UPDATE', 'CREATE']);
  const created = await about(undefined, undefined, 'CREATE', 'PROJECT', project.id);
  equal(created.events.length, 1);
  const targets = await world.api.getOrganizationEventTargets(
    world.organizationId, undefined, undefined, undefined, 'PROJECT',
  );
  ok(targets.targets.some((target) => target.id === project.id));
});
