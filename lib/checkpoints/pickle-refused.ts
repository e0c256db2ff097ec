/**
 * Names for the message only. These create objects of arbitrary classes, or belong to Python 1's text pickles. (NEWOBJ is
 * read where the world has records.)
 */
export const REFUSED_OPCODES: Readonly<Record<number, string>> = {
  129: 'NEWOBJ',
  146: 'NEWOBJ_EX',
  105: 'INST',
  111: 'OBJ',
  80: 'PERSID',
  130: 'EXT1',
  131: 'EXT2',
  132: 'EXT4',
  151: 'NEXT_BUFFER',
  152: 'READONLY_BUFFER',
  73: 'INT',
  76: 'LONG',
  70: 'FLOAT',
  83: 'STRING',
  86: 'UNICODE',
  112: 'PUT',
  103: 'GET',
  108: 'LIST',
  100: 'DICT',
};
