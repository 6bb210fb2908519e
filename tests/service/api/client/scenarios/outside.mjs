// Logins for what is outside: registries, Git hosts, clouds.
import { equal, ok, refused, scenario, unique } from '../play.mjs';
import { REPOSITORY, application, container } from '../world.mjs';

const CLOUDS = {
  AWS: [{ type: 'AWS_STATIC', access_key_id: 'AK', secret_access_key: 'hush' }, 'AWS'],
  OnPremise: [{}, 'OTHER'],
};

scenario('credentials of AWS and of machines of ones own are kept, changed and forgotten', async (world) => {
  const { api, organizationId: id } = world;
  for (const [cloud, [body, type]] of Object.entries(CLOUDS)) {
    const made = await api[`create${cloud}Credentials`](id, { name: unique(cloud), ...body });
    equal(made.object_type, type);
    ok(!JSON.stringify(made).includes('hush'));
    ok((await api[`list${cloud}Credentials`](id)).results.some((one) => one.id === made.id));
    ok((await api.listOrganizationCredentials(id)).results.some((one) => one.credential.id === made.id));
    const renamed = await api[`edit${cloud}Credentials`](id, made.id, { name: unique(`${cloud} again`), ...body });
    equal((await api[`get${cloud}Credentials`](id, made.id)).name, renamed.name);
    // The client puts the parameters of some deletions the other way round.
    await api[`delete${cloud}Credentials`](made.id, id);
    await refused(api[`get${cloud}Credentials`](id, made.id), 404);
  }
});

scenario('a registry is used by a container and then stays', async (world) => {
  const { api, organizationId: id } = world;
  const kinds = (await api.listAvailableContainerRegistry()).results;
  ok(kinds.some((one) => one.kind === 'DOCKER_HUB'));
  const registry = await world.registry({ kind: 'GENERIC_CR', url: 'https://registry.example.com', config: { username: 'me', password: 'hush' } });
  equal(registry.config, { username: 'me' });
  const edited = await api.editContainerRegistry(id, registry.id, {
    name: unique('renamed'), kind: 'GENERIC_CR', url: 'https://registry.example.com', config: { username: 'you' },
  });
  equal((await api.getContainerRegistry(id, registry.id)).name, edited.name);
  const made = await world.container({ registry_id: registry.id });
  const users = (await api.getContainerRegistryAssociatedServices(id, registry.id)).results;
  equal(users.map((one) => one.service_id), [made.id]);
  equal((await refused(api.deleteContainerRegistry(id, registry.id), 409, 'in_use')).used_by[0].id, made.id);
  const unused = await world.registry();
  ok((await api.listContainerRegistry(id)).results.some((one) => one.id === unused.id));
  await api.deleteContainerRegistry(id, unused.id);
  await refused(api.getContainerRegistry(id, unused.id), 404);
});

scenario('a Git token opens a private repository and is forgotten when nobody needs it', async (world) => {
  const { api, organizationId: id } = world;
  const token = await api.createGitToken(id, { name: unique('token'), type: 'GITHUB', token: 'hush' });
  ok(!JSON.stringify(token).includes('hush'));
  ok((await api.listOrganizationGitTokens(id)).results.some((one) => one.id === token.id));
  const edited = await api.editGitToken(id, token.id, { name: unique('token again'), type: 'GITHUB', token: 'hush 2' });
  equal((await api.getOrganizationGitToken(id, token.id)).name, edited.name);
  const made = await world.application({ git_repository: { ...REPOSITORY, git_token_id: token.id } });
  equal(made.git_repository.git_token_id, token.id);
  const users = (await api.getGitTokenAssociatedServices(id, token.id)).results;
  equal(users.map((one) => one.service_id), [made.id]);
  await refused(api.deleteGitToken(id, token.id), 409, 'in_use');
  const unused = await api.createGitToken(id, { name: unique('token'), type: 'GITLAB', token: 'hush' });
  await api.deleteGitToken(id, unused.id);
  await refused(api.getOrganizationGitToken(id, unused.id), 404);
});
